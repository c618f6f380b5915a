"""What is planned for the branches of a study: which conversations they have, and over how many ranks."""

from dataclasses import replace
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import load_study
from shiftgym.studies.footprints import AROUND, _answered, _iteration, _learned, footprints
from shiftgym.studies.plan import plan


def test_every_branch_has_its_footprint_over_its_ranks(faulty_file: Path) -> None:
    study = load_study(faulty_file, ["branches.failing.train_on=train", "ranks=2", "init.ranks=1"])
    found = footprints(study, "cpu")
    assert list(found.footprints) == ["init", *study.branches]
    assert [one.ranks for one in found.footprints.values()] == [1] + [2] * len(study.branches)
    assert found.weights
    assert all(one.shared.weights > 0 for one in found.footprints.values())


def test_conversations_are_as_long_as_the_study_lets_them_be(tiny_file: Path) -> None:
    study = load_study(tiny_file)
    task, branches = study.build_task(), {branch.name: branch for branch in plan(study)}
    sft, ppo = branches["sft"], branches["ppo"]
    assert _learned(task, sft).attempts == 1, "an expert is right at once"
    assert _learned(task, ppo).attempts == task.limit
    assert _learned(task, ppo).prompt > AROUND
    longest = study.evaluation.max_new_tokens
    assert _answered(study, task, sft).answer == longest
    wordy = ppo.table.model_copy(update={"max_new_tokens": longest + 5})
    assert _answered(study, task, replace(ppo, table=wordy)).answer == longest + 5


def test_rollouts_answer_the_decisions_of_an_iteration(tiny_file: Path) -> None:
    study = load_study(tiny_file)
    task, branches = study.build_task(), {branch.name: branch for branch in plan(study)}
    assert _iteration(task, branches["sft"]) == 0
    many = branches["ppo"].table.model_copy(update={"episodes_per_iteration": 300})
    assert _iteration(task, replace(branches["ppo"], table=many)) == 300


def test_what_cannot_be_planned_is_one_line(tiny_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the study cannot start: .*config.json"):
        footprints(load_study(tiny_file, [f"model={tmp_path}"]), "cpu")
