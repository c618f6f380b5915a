"""Judging one stop from outside."""

import json
import re

import pytest

from shiftgym.tasks.navigation.route import Sight
from shiftgym.tasks.navigation.verify_line import read_sight
from shiftgym.tasks.verify import verify_line

LINE = {
    "task": "navigation", "rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 10,
    "landmark": "Hotel Aurora is on your right", "at_intersection": True, "instruction": "Turn to the north.",
    "attempt": 1, "answer": '{"action": "turn_direction(north)"}',
}  # fmt: skip


def verified(**fields):
    return verify_line(json.dumps({**LINE, **fields}))


def test_without_a_turn_there_may_be_no_next_heading():
    there = {"next_heading": None, "at_intersection": False, "landmark": None}
    assert verified(expected="stop", answer='{"action": "stop()"}', **there)["outcome"] == "correct_action"
    assert verified(expected="forward", answer='{"action": "forward()"}', **there)["outcome"] == "correct_action"
    assert verified(expected="forward", **there)["outcome"] == "wrong_action"
    assert verified(next_heading=None) == {"error": "next_heading: must be a number where a turn is expected, not null"}


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
