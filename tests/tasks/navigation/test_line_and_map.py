"""Judging from outside, and what a person sees of a route."""

import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from shiftgym.cli.terminal import play_in_terminal, show_problem
from shiftgym.tasks.base import Drawn
from shiftgym.tasks.navigation.route import Sight
from shiftgym.tasks.navigation.verify_line import read_sight
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.verify import verify_line
from shiftgym.tasks.walk import decisions

LINE = {
    "task": "navigation", "rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 10,
    "landmark": "Hotel Aurora is on your right", "at_intersection": True, "instruction": "Turn to the north.",
    "attempt": 1, "answer": '{"action": "turn_direction(north)"}',
}  # fmt: skip
TASK = build_task("navigation", splits={"train": {"routes": "all"}, "london": {"city": "london", "passing": True}})


def verified(**fields):
    return verify_line(json.dumps({**LINE, **fields}))


def test_lines_are_judged():
    assert verified() == {"outcome": "correct_action", "reward": 1.0, "feedback": "Correct."}
    assert verified(rule="relative")["outcome"] == "illegal_action"
    assert verified(rule="relative", answer='{"action": "turn_direction(slightly right)"}')["reward"] == 1.0
    assert verified(expected="stop")["outcome"] == "wrong_observation"
    assert verified(expected="stop", at_intersection=False, landmark=None)["outcome"] == "wrong_action"
    assert verified(answer="no")["outcome"] == "illegal_action"
    assert verified(attempt=2)["outcome"] == "correct_action"
    late = verified(attempt=3)
    assert late == {"outcome": "out_of_attempts", "reward": -1.0, "feedback": "There are no attempts left."}
    misread = '{"observation": "intersection, Hotel Aurora left", "action": "turn_direction(north)"}'
    assert verified(answer=misread)["reward"] == 1.0
    assert verified(answer=misread, landmark_reward=True)["reward"] == -1.5


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Hotel Aurora is behind you", "behind"),
        ("Hotel Aurora is behind you\n", "behind"),
        (" Hotel  Aurora\nis in front of you .\n", "front"),
        ("The destination Hotel Aurora is on your right\tbehind.", "right behind"),
        ("Hotel Aurora is on your behind", "behind"),
    ],
)
def test_blanks_around_a_landmark_do_not_count(text, where):
    assert read_sight(text) == Sight("Hotel Aurora", where)
    assert verified(landmark=text)["reward"] == 1.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rule": "absolut"}, "unknown rule 'absolut'"),
        ({"rule": "random"}, "drawn for each problem"),
        ({"heading": "north"}, "heading: "),
        ({"expected": "fly"}, "expected: "),
        ({"landmark": "Hotel Aurora"}, "landmark: .*is on your"),
        ({"landmark": 3}, "landmark: "),
        ({"at_intersection": 1}, "at_intersection: "),
        ({"attempt": 0}, "attempt: "),
        ({"answer": None}, "answer: "),
        ({"headng": 3}, "headng: unknown key; did you mean 'heading'"),
        ({"task": "examples.clock_task:ClockTask"}, "task: .*points, navigation"),
        ({"task": None}, "task: "),
    ],
)
def test_a_line_that_cannot_be_read_says_why(change, reason):
    result = verified(**change)
    assert list(result) == ["error"]
    assert re.search(reason, result["error"]), result


def test_the_figure_is_whole_and_escaped():
    assert isinstance(TASK, Drawn) and not isinstance(build_task("points"), Drawn)
    for split in TASK.splits:
        route = TASK.problem(split, 0)
        drawn = TASK.figure(route, {1: '<b>"forward()"'})
        tree = ET.fromstring(drawn)
        assert tree.attrib["viewBox"].startswith("0 0 ")
        assert drawn.count("<circle") == len(route.stops) + 1
        assert "currentColor" in drawn and "&lt;b&gt;" in drawn
        for stop in route.stops:
            assert stop.landmark is None or stop.landmark.name in drawn


def test_the_sketch_fits_a_terminal_and_shows_only_what_was_walked():
    for split in TASK.splits:
        for index in range(5):
            walk = list(decisions(TASK, TASK.problem(split, index)))
            for decision in (walk[0], walk[-1]):
                lines = TASK.sketch(decision).splitlines()
                assert max(map(len, lines)) <= 80 and len(lines) < 45
                assert sum(line.count("@") for line in lines) == 2
            goal = walk[-1].stop.landmark.name
            assert goal in TASK.sketch(walk[-1]) and goal not in TASK.sketch(walk[0])


def test_show_prints_the_map_and_each_thing_once():
    out = io.StringIO()
    show_problem(TASK, "train", 0, Console(file=out, width=500))
    shown, walk = out.getvalue(), list(decisions(TASK, TASK.problem("train", 0)))
    assert TASK.sketch(walk[-1]).splitlines()[-1] in shown
    assert shown.count("1. ") == 1
    assert shown.count("correct_action, reward +1") == len(walk)
    assert all(line in shown for line in walk[-1].prompt[0]["content"].splitlines())


def test_a_person_can_walk_by_bare_actions(monkeypatch):
    out = io.StringIO()
    console = Console(file=out, width=500)
    walk = list(decisions(TASK, TASK.problem("train", 0)))
    typed = iter(["forward()", *(json.loads(TASK.expert(decision))["action"] for decision in walk)])
    monkeypatch.setattr(console, "input", lambda prompt="": next(typed))
    episode = play_in_terminal(TASK, "train", 0, console)
    assert episode.success and len(episode.decisions) == len(walk)
    assert out.getvalue().count("1. ") == 1
    assert "bare action" in out.getvalue()
