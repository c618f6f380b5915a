"""A study on GPUs: branches in processes that see one GPU each."""

import json
import os
import subprocess
import sys
from functools import partial

import torch

from shiftgym import load_study, run_study
from shiftgym.engines.base import Call, Job, gpu_share
from shiftgym.placement import Placement
from shiftgym.studies import own_process

SMALL = [
    "seeds=[0]", "budget.flops=2e11", "budget.checkpoints=[1.0]", "evaluation.problems=16",
    "evaluation.decodings=['greedy']", "init.batch=8", "init.precision=float32", "branches.sft.batch=8",
    "branches.sft.precision=float32", "branches.ppo.precision=float32", "branches.ppo.episodes_per_iteration=8",
    "branches.ppo.minibatch=8",
]  # fmt: skip


def test_a_study_finds_what_it_finds_on_the_cpu(tmp_path):
    def rows(device):
        study = load_study("points-text-quick", [*SMALL, f"device={device}"])
        finished = run_study(study, runs=tmp_path / device, plain=True)
        assert not finished.failed and not finished.stopped
        environment = json.loads((finished.folder / "environment.json").read_text())
        assert environment["placement"]["device"] == device
        if device == "cuda":
            assert torch.cuda.get_device_name() in environment["machines"][0]["gpus"]["devices"]
            assert environment["machines"][0]["gpus"]["driver"]
        lines = (finished.folder / "results.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    cpu, gpu = rows("cpu"), rows("cuda")
    key = ("branch", "split", "problem")
    assert [[row[name] for name in key] for row in cpu] == [[row[name] for name in key] for row in gpu]
    same = sum(one["success"] == other["success"] for one, other in zip(cpu, gpu, strict=True))
    assert same >= 0.9 * len(cpu)


def test_a_job_sees_one_gpu_and_its_parent_leaves_cuda_alone(tmp_path):
    where = own_process.engine(2, Placement(device="cuda"))
    code = "import torch; torch.zeros(1).cuda(); print(torch.cuda.device_count())"
    jobs = [
        Job(
            name,
            partial(Call, subprocess.check_call, ([sys.executable, "-c", code],), tmp_path / name),
            gpus=gpu_share(where),
        )
        for name in ("one", "two")
    ]
    assert set(where.run(jobs, watch=lambda _: None).values()) == {"done"}
    assert [(tmp_path / name).read_text() for name in ("one", "two")] == ["1\n", "1\n"]


def test_no_parent_initialises_cuda(tmp_path):
    """Whether a process has CUDA is asked of the driver, which lists the processes that have."""
    told = f"""
import os, sys
from pathlib import Path
from shiftgym import load_study, run_study
run_study(load_study("points-text-quick", {SMALL!r} + ["device=cuda"]), runs=Path({str(tmp_path)!r}), plain=True)
import torch
print("initialised:", torch.cuda.is_initialized())
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, env={**os.environ}, check=True)
    assert "initialised: False" in done.stdout
