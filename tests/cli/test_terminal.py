"""A person in the terminal."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from shiftgym.cli.terminal import play_in_terminal, show_problem, task_to_play
from shiftgym.errors import ConfigError, DataError
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

TASK = build_task("points", options={"limit": 2})


def played(monkeypatch, *lines):
    out = io.StringIO()
    console = Console(file=out, width=500)
    typed = iter(lines)

    def ask(prompt=""):
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(console, "input", ask)
    return play_in_terminal(TASK, "train", 0, console), out.getvalue()


def test_a_bare_formula_is_an_answer(monkeypatch):
    decision = TASK.start(TASK.problem("train", 0))
    formula = json.loads(TASK.expert(decision))["formula"]
    episode, shown = played(monkeypatch, "1+1", formula)
    assert episode.success
    assert decision.prompt[0]["content"].splitlines()[0] in shown, "square brackets are shown as they are"
    assert episode.decisions[0].attempts[0].verdict.feedback in shown
    assert "correct after 2 attempts, reward +3" in shown


def test_a_whole_answer_object_is_taken_as_it_is(monkeypatch):
    episode, shown = played(monkeypatch, TASK.expert(TASK.start(TASK.problem("train", 0))))
    assert episode.success
    assert "correct after 1 attempt, reward +5" in shown


def test_a_bare_formula_is_an_answer_in_the_form_that_is_asked_for(monkeypatch):
    lines = build_task("points", options={"limit": 1, "form": "lines"})
    answer = lines.expert(lines.start(lines.problem("train", 0)))
    formula = answer.splitlines()[-1].removeprefix("formula: ")
    monkeypatch.setattr(sys.modules[__name__], "TASK", lines)
    for typed in (formula, f"formula: {formula}"):
        episode, _ = played(monkeypatch, typed)
        assert episode.success
        assert episode.decisions[0].attempts[0].answer == f"formula: {formula}"


def test_out_of_attempts_shows_the_experts_answer(monkeypatch):
    episode, shown = played(monkeypatch, "1+1", "oops")
    assert not episode.success
    assert TASK.expert(TASK.start(TASK.problem("train", 0))) in shown
    assert "illegal after 2 attempts, reward -6" in shown


def test_the_end_of_the_input_is_said_plainly(monkeypatch):
    with pytest.raises(DataError, match="input ended"):
        played(monkeypatch)


def test_show_prints_prompt_answer_and_verdict():
    out = io.StringIO()
    show_problem(TASK, "train", 3, Console(file=out, width=500))
    decision = TASK.start(TASK.problem("train", 3))
    for text in (*decision.prompt[0]["content"].splitlines(), TASK.expert(decision), "correct, reward +5"):
        assert text in out.getvalue()
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        show_problem(TASK, "tain", 3, Console(file=out))


def test_a_picture_is_shown_in_blocks_of_colour_and_kept_as_a_file():
    task = build_task("points", options={"modality": "vision"}, splits={"train": {"look": "red"}})
    for colours, blocks in (("truecolor", 72 * 36), (None, 0)):
        out = io.StringIO()
        show_problem(task, "train", 0, Console(file=out, width=80, color_system=colours, force_terminal=bool(colours)))
        assert out.getvalue().count("▀") == blocks
        path = re.search(r"Picture: (.*picture\.png)", out.getvalue())[1]
        with Image.open(path) as kept:
            assert kept.tobytes() == task.problem("train", 0).picture.draw().tobytes()


CLOCK = "examples.clock_task:ClockTask"


@pytest.fixture
def in_the_repository(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])


def shown(task, split=None, index=0):
    out = io.StringIO()
    show_problem(task, split, index, Console(file=out, width=500))
    return out.getvalue()


def test_a_users_task_is_shown_with_default_splits(in_the_repository):
    task = task_to_play(CLOCK, None, ["splits.train.dial=7", "task.limit=2"])
    assert (list(task.splits), task.splits["train"].dial, task.limit) == (["train"], 7, 2)
    assert "A clock counts the hours 0 to 6." in shown(task)
    assert list(task_to_play("shiftgym.tasks.points:PointsTask", None, ()).splits) == ["train", "test"]


def test_a_users_task_is_shown_with_the_splits_of_a_study_file(in_the_repository):
    task = task_to_play(CLOCK, "examples/clock.toml", ())
    assert list(task.splits) == ["train", "rule_ood"]
    assert "hours 0 to 23." in shown(task, "rule_ood")
    assert shown(task) == shown(task, "train")


def test_the_task_is_by_default_that_of_the_study_or_points(in_the_repository):
    assert task_to_play(None, None, ()).name == "points"
    assert task_to_play(None, "navigation-text", ()).name == "navigation"
    points = task_to_play("points", None, ())
    assert next(iter(points.splits)) != "id" and shown(points) == shown(points, "id")


@pytest.mark.parametrize(
    ("name", "study", "overrides", "reason"),
    [
        ("point", None, (), "unknown task 'point'; did you mean 'points'"),
        ("points", "navigation-text", (), "study navigation-text is about task 'navigation', not 'points'"),
        (CLOCK, None, ("budget.flops=1",), "--set budget.flops=1: without a study, set task.KEY=value"),
        (CLOCK, None, ("splits.train.dail=1",), "splits.train.dail: unknown key; did you mean 'dial'"),
    ],
)
def test_what_cannot_be_played_says_why(in_the_repository, name, study, overrides, reason):
    with pytest.raises(ConfigError, match=reason):
        task_to_play(name, study, overrides)


TOWN = build_task("navigation", splits={"train": {"routes": "all"}, "london": {"city": "london", "passing": True}})


def test_show_prints_the_map_and_each_thing_once():
    out = io.StringIO()
    show_problem(TOWN, "train", 0, Console(file=out, width=500))
    shown, walk = out.getvalue(), list(decisions(TOWN, TOWN.problem("train", 0)))
    assert TOWN.sketch(walk[-1]).splitlines()[-1] in shown
    assert shown.count("1. ") == 1
    assert shown.count("correct_action, reward +1") == len(walk)
    assert all(line in shown for line in walk[-1].prompt[0]["content"].splitlines())


def test_a_person_can_walk_by_bare_actions(monkeypatch):
    out = io.StringIO()
    console = Console(file=out, width=500)
    walk = list(decisions(TOWN, TOWN.problem("train", 0)))
    typed = iter(["forward()", *(json.loads(TOWN.expert(decision))["action"] for decision in walk)])
    monkeypatch.setattr(console, "input", lambda prompt="": next(typed))
    episode = play_in_terminal(TOWN, "train", 0, console)
    assert episode.success and len(episode.decisions) == len(walk)
    assert out.getvalue().count("1. ") == 1
    assert "bare action" in out.getvalue()
