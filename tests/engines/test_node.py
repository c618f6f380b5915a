"""What nodes are asked."""

import os
from pathlib import Path

import pytest

from shiftgym.engines.node import Question, _refusal, answer
from shiftgym.errors import ConfigError


def refuse(why: str) -> None:
    raise ConfigError(why)


def test_a_question_is_answered_from_the_folder_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    question = Question.of(os.getcwd, ())
    monkeypatch.chdir("/")
    assert answer(question) == str(tmp_path)
    assert answer(Question.of(divmod, (7, 2))) == (3, 1)


def test_a_node_that_cannot_answer_may_have_no_jobs() -> None:
    assert _refusal(Question.of(refuse, ("it has torch 2.9.0",))) == "it has torch 2.9.0"
    assert _refusal(Question.of(os.getcwd, ())) == ""
