"""A person in the terminal."""

import io
import json
import re

import pytest
from PIL import Image
from rich.console import Console

from shiftgym.cli.terminal import play_in_terminal, show_problem
from shiftgym.errors import ConfigError, DataError
from shiftgym.tasks.registry import build_task

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
