"""Where the branches of a study run: on which device, with what memory, and what the environment records of it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shiftgym.engines.base import Job, State, Watch
from shiftgym.engines.local import LocalEngine
from shiftgym.studies.config import load_study
from shiftgym.studies.machines import describe
from shiftgym.studies.own_process import engine
from shiftgym.studies.plan import plan
from shiftgym.studies.run import environment, placed, resume_study, run_study


def test_branches_are_told_to_use_the_gpu_that_the_engine_gives_them(tiny_file: Path, nvidia_smi: Any) -> None:
    def on(device: str) -> tuple[str, list[str], int]:
        study = load_study(tiny_file, [f"device={device}"])
        where = engine(None, study.placement)
        return placed(study, where).device, [gpu.name for gpu in where.gpus], where.workers

    cores = len(os.sched_getaffinity(0))
    assert on("auto") == ("cpu", [], cores)
    nvidia_smi(3)
    assert on("auto") == on("cuda") == ("cuda", ["0", "1", "2"], 3)
    # A branch sees one GPU only, whichever of the machine it is.
    assert on("cuda:2") == ("cuda", ["2"], 1)
    assert on("cpu") == ("cpu", [], cores)


def test_branches_ask_for_memory_where_an_engine_places_them_by_it(
    faulty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Job] = []

    class Recorded(LocalEngine):
        def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
            if jobs[0].name == "measure":
                return super().run(jobs, watch)
            asked.extend(jobs)
            return {job.name: "failed" for job in jobs}

    monkeypatch.setattr("shiftgym.engines.local.LocalEngine", Recorded)
    study = load_study(faulty_file, ["branches.failing.train_on=train", "branches.sft.ranks=2"])
    run_study(study, runs=tmp_path)
    assert {job.memory for job in asked} == {0}
    assert [job.ranks for job in asked if job.name.startswith("sft-")] == [2]
    asked.clear()
    monkeypatch.setattr(Recorded, "elsewhere", True)
    [folder] = tmp_path.iterdir()
    resume_study(folder)
    assert len(asked) == len(plan(study)) and all(job.memory > 10**8 for job in asked)


def test_the_environment_records_the_gpus(tiny_file: Path, nvidia_smi: Any) -> None:
    nvidia_smi(2)
    placement = load_study(tiny_file, ["dtype=bfloat16", "device=cuda:1"]).placement
    found = environment(engine(3, placement), placement, [describe()])
    assert found["placement"]["device"] == "cuda"
    assert found["placement"]["dtype"] == "bfloat16"
    gpus = found["machines"][0]["gpus"]
    assert gpus["devices"] == ["NVIDIA H200"] * 2
    assert gpus["memory_mib"] == [143771] * 2
    assert gpus["driver"] == "570.1"
    assert found["workers"] == 3
