"""Rows are written as they come, and what was answered is not asked again."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import evaluate
from shiftgym.evaluation.written import claim, evaluate_into
from shiftgym.files import read_lines
from shiftgym.layout import BranchFolder
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.text_chat import TextChat
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.registry import build_task

ORIGIN = {"branch": "x", "seed": 0, "step": 7, "fraction": 1.0, "flops": 0.0, "flops_paper": 0.0}
ASKED = {"splits": ["train"], "problems": 6, "samples": 1, "decodings": ["sampled", "greedy"]}

OF = {"temperature": 1.0, "max_new_tokens": 9, "seed": 0}


class Counting(ExpertPolicy):
    """An expert that counts what it is asked, and breaks off after so many decisions."""

    def __init__(self, task: Task, patience: int = 1000) -> None:
        super().__init__(task)
        self.asked = 0
        self.patience = patience

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        self.asked += len(decisions)
        if self.asked > self.patience:
            raise KeyboardInterrupt
        return super().start(decisions, noise)


@pytest.fixture(scope="module")
def task() -> Task:
    return build_task("points")


def run(folder: BranchFolder, task: Task, policy: Counting, **changes: object) -> None:
    evaluate_into(folder, policy, task, **(ASKED | changes), **OF, origin=ORIGIN, batch=2)  # type: ignore[arg-type]


def test_the_rows_are_those_of_evaluate(tmp_path: Path, task: Task) -> None:
    folder = BranchFolder(tmp_path)
    run(folder, task, Counting(task))
    whole = evaluate(lambda _: ExpertPolicy(task), task, **ASKED, origin=ORIGIN)
    assert list(read_lines(folder.results)) == whole.rows
    assert list(read_lines(folder.evaluation_episodes)) == json.loads(json.dumps(whole.episodes))


def test_after_a_kill_only_the_rest_is_asked(tmp_path: Path, task: Task) -> None:
    whole, cut = BranchFolder(tmp_path / "whole"), BranchFolder(tmp_path / "cut")
    run(whole, task, Counting(task))
    with pytest.raises(KeyboardInterrupt):
        run(cut, task, Counting(task, patience=7))
    assert len(list(read_lines(cut.results))) == 6
    # A kill in the middle of writing leaves half a line, and episodes whose rows were not written yet.
    with cut.results.open("a") as file:
        file.write('{"branch": "x", "se')
    with cut.evaluation_episodes.open("a") as file:
        file.write(whole.evaluation_episodes.read_text().splitlines(keepends=True)[8])
    rest = Counting(task)
    run(cut, task, rest)
    assert rest.asked == 6
    assert cut.results.read_bytes() == whole.results.read_bytes()
    assert cut.evaluation_episodes.read_bytes() == whole.evaluation_episodes.read_bytes()


def test_more_problems_cost_only_those(tmp_path: Path, task: Task) -> None:
    folder = BranchFolder(tmp_path)
    run(folder, task, Counting(task))
    more = Counting(task)
    run(folder, task, more, problems=8)
    assert more.asked == 2 * 2
    told: list[int] = []
    evaluate_into(folder, more, task, **(ASKED | {"problems": 8}), **OF, origin=ORIGIN, on_batch=lambda: told.append(1))
    assert told == [] and more.asked == 4


def test_rows_of_another_step_are_left_alone(tmp_path: Path, task: Task) -> None:
    folder = BranchFolder(tmp_path)
    run(folder, task, Counting(task))
    evaluate_into(folder, ExpertPolicy(task), task, **ASKED, **OF, origin=ORIGIN | {"step": 9})  # type: ignore[arg-type]
    assert [row["step"] for row in read_lines(folder.results)] == [7] * 12 + [9] * 12


def test_answers_of_two_models_are_never_mixed(tmp_path: Path) -> None:
    folder = BranchFolder(tmp_path / "new")
    claim(folder, {"source": "a", "splits": ("x",)})
    claim(folder, {"source": "a", "splits": ("x",)})
    with pytest.raises(ConfigError, match="its answers were given with source = 'a', not 'b'; give another folder"):
        claim(folder, {"source": "b", "splits": ("x",)})


@pytest.mark.parametrize("file", ["results.jsonl", "study.toml"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, file: str) -> None:
    (tmp_path / file).touch()
    with pytest.raises(ConfigError, match="holds results of something else; give another folder"):
        claim(BranchFolder(tmp_path), {"source": "a"})


def test_a_long_value_is_told_shortly(tmp_path: Path) -> None:
    claim(BranchFolder(tmp_path), {"chat_template": None})
    with pytest.raises(ConfigError) as raised:
        claim(BranchFolder(tmp_path), {"chat_template": "x" * 5000})
    assert "chat_template = None, not 'xxx" in str(raised.value) and len(str(raised.value)) < 400
