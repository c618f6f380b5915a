"""What trackers hear of a branch: every step and every evaluated checkpoint, each once, while its files grow."""

from pathlib import Path

import pytest
from tests.tracking.conftest import GIGA, rows, write_steps

from shiftgym.evaluation.statistics import wilson
from shiftgym.files import append_lines, write_lines
from shiftgym.following.declaration import read_declaration
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.tracking.base import Tracked
from shiftgym.tracking.steps import Branch, Training

TRACKED = Tracked("ppo-seed7", "ppo", {}, "id")


@pytest.fixture
def folder(run_folder: RunFolder) -> BranchFolder:
    """A branch that is still to begin."""
    return run_folder.branch("ppo-seed7")


@pytest.fixture
def branch(run_folder: RunFolder, folder: BranchFolder) -> Branch:
    return Branch(TRACKED, folder, read_declaration(run_folder.path))


def test_steps_and_checkpoints_are_told_as_they_come(branch: Branch, folder: BranchFolder) -> None:
    assert branch.new() == (False, [])
    write_steps(folder, [1, 2])
    anew, points = branch.new()
    assert not anew
    assert [point.step for point in points] == [1, 2]
    # What is no number is left out.
    assert points[1].values == {
        "train/flops": 2 * GIGA,
        "train/flops_paper": 4 * GIGA,
        "train/loss": 0.5,
        "seconds/collect": 0.5,
        "seconds/learn": 0.25,
    }
    assert points[1].compute == {"flops": 2 * GIGA, "flops_paper": 4 * GIGA}
    evaluated = rows("ppo", 7, 2, {"id": 2, "rule_ood": 3})
    append_lines(folder.results, evaluated[:-1])
    assert branch.new() == (False, [])
    append_lines(folder.results, evaluated[-1:])
    (point,) = branch.new()[1]
    assert (point.step, point.compute) == (2, {"flops": 2 * GIGA, "flops_paper": 4 * GIGA, "fraction": 0.5})
    assert branch.new() == (False, [])


def test_a_checkpoint_has_every_measure_and_intervals_of_success(branch: Branch, folder: BranchFolder) -> None:
    write_steps(folder, [])
    write_lines(folder.results, rows("ppo", 7, 2, {"id": 2, "rule_ood": 3}))
    values = branch.new()[1][0].values
    interval = wilson(3, 4)
    assert values["eval/rule_ood/success"] == 0.75
    assert (values["eval/rule_ood/success_low"], values["eval/rule_ood/success_high"]) == (interval.low, interval.high)
    assert values["eval/rule_ood/greedy/success"] == 0
    assert values["eval/id/tokens"] == 0.5
    assert "eval/id/tokens_low" not in values
    assert "eval/id/recognised" not in values


def test_the_newest_try_is_read_and_what_it_published_is_not_told_again(branch: Branch, folder: BranchFolder) -> None:
    trying = folder.next_try()
    write_steps(trying, [1, 2])
    assert [point.step for point in branch.new()[1]] == [1, 2]
    write_steps(folder, [1, 2, 3])
    for file in (trying.metrics, trying.timings):
        file.unlink()
    trying.path.rmdir()
    assert branch.new()[0] is False
    assert [point.step for point in branch.new()[1]] == []
    write_steps(folder, [4])
    assert [point.step for point in branch.new()[1]] == [4]


def test_a_branch_that_was_cut_back_is_told_again_from_its_first_step(branch: Branch, folder: BranchFolder) -> None:
    write_steps(folder, [1, 2, 3])
    write_lines(folder.results, rows("ppo", 7, 2, {"id": 2, "rule_ood": 3}))
    assert [point.step for point in branch.new()[1]] == [1, 2, 3, 2]
    trying = folder.next_try()
    write_steps(trying, [1, 2])
    anew, points = branch.new()
    assert anew
    assert [point.step for point in points] == [1, 2, 2]
    write_steps(trying, [3])
    assert [(anew, [point.step for point in points]) for anew, points in [branch.new()]] == [(False, [3])]


def test_a_training_is_done_after_its_last_step(tmp_path: Path) -> None:
    training = Training(TRACKED, BranchFolder(tmp_path), 2)
    write_steps(BranchFolder(tmp_path), [1])
    assert training.state() is None
    write_steps(BranchFolder(tmp_path), [2])
    assert training.state() == "done"
    assert [point.step for point in training.new()[1]] == [1, 2]
