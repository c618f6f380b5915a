"""Every generator of the package is named once, and what is called proved holds."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from shiftgym.tasks import check
from shiftgym.tasks.check import check_task
from shiftgym.tasks.reasoning_gym.generators import EXCLUDED, PROVED
from shiftgym.tasks.reasoning_gym.library import registered
from shiftgym.tasks.registry import build_task

NAMED = (
    "base_conversion", "caesar_cipher", "chain_sum", "countdown", "family_relationships", "graph_color",
    "knights_knaves", "letter_counting", "mini_sudoku", "tower_of_hanoi",
)  # fmt: skip
"""Those that are looked at in every run of the tests; the others take a minute together."""


def settings(name: str) -> dict[str, dict]:
    """The task on a generator, with its own configuration and a shifted one."""
    return {
        "options": {"generator": name, "config": dict(PROVED[name].base)},
        "splits": {
            "train": {},
            "id": {"population": "test"},
            "shifted": {"population": "test", "config": dict(PROVED[name].shift)},
        },
    }


def test_every_generator_is_taken_or_not_with_a_reason():
    assert set(registered()) == set(PROVED) | set(EXCLUDED)
    assert not set(PROVED) & set(EXCLUDED)
    assert set(NAMED) <= set(PROVED)
    assert len(PROVED) >= 20


@pytest.mark.parametrize("name", NAMED)
def test_the_known_answer_is_right_and_others_are_not(name):
    task = build_task("reasoning_gym", **settings(name))
    for split in task.splits:
        for index in range(2):
            problem = task.problem(split, index)
            decision = task.start(problem)
            assert decision.judge(task.expert(decision)).outcome == "correct"
            assert json.loads(json.dumps(asdict(problem))) == asdict(problem)
            for other in ("", "0x0", "nan", "null", "[]", "{}", problem.question, problem.answer[1:]):
                assert not decision.judge(json.dumps({"answer": other})).correct, other


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVED)
def test_a_proved_generator_is_sound(name, monkeypatch):
    monkeypatch.setattr(check, "PROBLEMS", 10)
    assert [finding for finding in check_task("reasoning_gym", **settings(name)) if not finding.ok] == []


DRAW = """
import json, sys
from shiftgym.tasks.registry import build_task
for given in map(json.loads, sys.stdin):
    task = build_task("reasoning_gym", **given)
    print([task.problem(split, index) for split in task.splits for index in range(3)])
"""


@pytest.mark.slow
def test_questions_do_not_depend_on_the_seed_of_hashes():
    given = "".join(json.dumps(settings(name)) + "\n" for name in PROVED)
    drawn = [
        subprocess.run(
            [sys.executable, "-c", DRAW],
            input=given, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.splitlines()
        for seed in ("1", "2")
    ]  # fmt: skip
    differ = [name for name, one, other in zip(PROVED, *drawn, strict=True) if one != other]
    assert differ == []
