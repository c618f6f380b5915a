"""The order of branches, what each starts from, and how long a plan takes."""

from pathlib import Path

import pytest

from shiftgym.studies.config import Init, load_study
from shiftgym.studies.estimate import Estimate, makespan, print_plan
from shiftgym.studies.plan import plan


def test_inits_come_first_then_whole_seeds(tiny_file: Path) -> None:
    branches = plan(load_study(tiny_file, ["seeds=[0, 5]"]))
    titles = [branch.title for branch in branches]
    assert titles == ["init-seed0", "init-seed5", "sft-seed0", "ppo-seed0", "sft-seed5", "ppo-seed5"]
    starts = [branch.start for branch in branches]
    assert starts == [None, None, "init-seed0", "init-seed0", "init-seed5", "init-seed5"]
    assert isinstance(branches[0].settings, Init)


def test_a_free_worker_takes_the_next_branch(tiny_file: Path) -> None:
    branch = plan(load_study(tiny_file))[0]
    estimates = [Estimate(branch, 1, seconds) for seconds in (1.0, 5.0, 2.0, 3.0)]
    assert makespan(estimates, 1) == 11
    assert makespan(estimates, 2) == 6


def test_a_dry_run_prints_every_branch_and_keeps_nothing(
    faulty_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(faulty_file, ["branches.failing.train_on=train"])
    print_plan(study, workers=2)
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert ["init", "0", "start", "sft", "train", "1"] in [line[:6] for line in lines]
    assert ["ppo", "0", "main", "ppo", "train"] in [line[:5] for line in lines]
    steps = {line[0]: int(line[5]) for line in lines if len(line) == 7 and line[5].isdigit()}
    assert steps["sft"] == steps["diverging"] > 1
    assert "An estimate" in printed
    assert not list(tmp_path.iterdir())
