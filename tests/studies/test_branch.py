"""What a branch does besides training."""

import json
import random
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from tests.studies.conftest import TINY

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import by_decoding
from shiftgym.layout import BranchFolder
from shiftgym.models.loading.load import load_policy
from shiftgym.studies.branch import make_probe, make_subject, run_branch
from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan
from shiftgym.studies.run import run_study


@pytest.mark.parametrize("branch", ["ppo", "sft"])
def test_only_who_learns_from_the_expert_can_copy(faulty_file: Path, branch: str) -> None:
    small = ['probes.splits=["train"]', "probes.problems=1", "probes.samples=1"]
    study = load_study(faulty_file, small)
    planned = next(each for each in plan(study) if each.name == branch)
    start = make_subject(study, planned, *load_policy(study.model), study.build_task())
    probe = make_probe(study, planned, start, study.build_task(), range(1))
    assert (probe._learned is None) == (branch == "ppo")
    assert [row["copied"] is None for row in probe.measure(start)] == [branch == "ppo"]


def test_template_variables_reach_the_model(faulty_file: Path, tmp_path: Path) -> None:
    study = load_study(faulty_file, ["template_variables.enable_thinking=false"])
    with pytest.raises(ConfigError, match="takes no 'enable_thinking'"):
        run_branch(study, plan(study)[0], tmp_path, BranchFolder(tmp_path))


def test_a_checkpoint_that_cannot_be_evaluated_stops_its_branch(
    faulty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are finite and its logits are not, which only generation sees."""

    def overflowing(asked: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            asked[0].model.norm.weight.fill_(3e38)
        return by_decoding(asked, *args, **kwargs)

    monkeypatch.setattr("shiftgym.studies.branch.by_decoding", overflowing)
    study = load_study(faulty_file)
    start = plan(study)[0]
    run_branch(study, start, tmp_path, start.folder(tmp_path))
    done = json.loads(start.folder(tmp_path).done.read_text())
    assert done["state"] == "stopped"
    assert done["message"].startswith("step 1, evaluation: a logit is not finite")
    assert not start.folder(tmp_path).results.exists()


KILLED = {"sft-seed0": 2, "ppo-seed0": 3}
"""How often a rank of each branch is killed."""


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_branch_whose_ranks_are_killed_goes_on_as_if_nothing_had_been(tiny_points: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(TINY.replace("MODEL", str(tiny_points)))
    study = load_study(file, ["ranks=2", "init.ranks=1", "restarts=3", "evaluation.problems=2"])
    moments = {name: [random.SystemRandom().randrange(3) for _ in range(times)] for name, times in KILLED.items()}
    killers = [threading.Thread(target=_kill_ranks, args=(tmp_path / "killed", *each)) for each in moments.items()]
    for killer in killers:
        killer.start()
    killed = run_study(study, runs=tmp_path / "killed", workers=2, plain=True).folder
    for killer in killers:
        killer.join()
    whole = run_study(study, runs=tmp_path / "whole", workers=2, plain=True).folder
    for name, times in KILLED.items():
        assert (killed / "branches" / name / "log.txt").read_text().count("was killed by SIGKILL") == times
    files = [path.relative_to(whole) for path in whole.glob("branches/*/**/*") if path.is_file()]
    for path in (path for path in files if path.name not in ("timings.jsonl", "log.txt")):
        assert (killed / path).read_bytes() == (whole / path).read_bytes(), f"{path}, killed after {moments} lines"


def _kill_ranks(runs: Path, name: str, moments: list[int]) -> None:
    """Kill one of the two ranks of a branch in each try, when it has written so many further lines."""
    for number, moment in enumerate(moments, 1):
        while not (found := list(runs.glob(f"*/branches/{name}/try-{number}/log-rank-1.txt"))):
            time.sleep(0.005)
        folder = found[0].parent
        begun = _lines(folder)
        while _lines(folder) < begun + moment:
            time.sleep(0.005)
        log = folder / random.SystemRandom().choice(["log.txt", "log-rank-1.txt"])
        while not (printing := _printing_to(log)):
            time.sleep(0.005)
        printing[0].kill()


def _lines(folder: Path) -> int:
    metrics = folder / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.is_file() else 0


def _printing_to(log: Path) -> list[psutil.Process]:
    """The process whose log this is, if it is there yet."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(file.path == str(log) for file in process.open_files()):
                found.append(process)
    return found
