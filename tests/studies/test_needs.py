"""What a branch asks of the machine that it runs on."""

from dataclasses import replace
from pathlib import Path

from shiftgym.studies.config import load_study
from shiftgym.studies.needs import ON_GPU, PROCESS, Needs, branch_needs, main_memory
from shiftgym.training.footprint import Footprint, Held, OverRanks

ONE = Footprint(
    shared=Held(weights=20, copies=10, gradients=2, optimizer=4),
    own=Held(weights=1, copies=1, gradients=1, optimizer=1),
    over_ranks=OverRanks(copies=40, whole=20, layers=7, stepped=0),
    activations=30,
    logits=5,
    one=6,
    row=30,
    iteration=10,
    batch=1,
)


def test_on_a_cpu_a_branch_takes_all_of_it_from_main_memory() -> None:
    assert main_memory(ONE, "cpu") == PROCESS + 37 + 300
    assert main_memory(replace(ONE, row=1), "cpu") == PROCESS + 37 + 3 + 35


def test_beside_a_gpu_a_model_is_in_main_memory_while_it_loads() -> None:
    assert main_memory(ONE, "cuda") == ON_GPU + 21
    assert main_memory(ONE.over(4), "cuda") == ON_GPU + 21 + 20, "one copy at a time, before it is divided"
    alone = replace(ONE, over_ranks=replace(ONE.over_ranks, copies=0))
    assert main_memory(alone.over(4), "cuda") == ON_GPU + 21


def test_every_branch_tells_what_a_rank_of_it_needs(faulty_file: Path) -> None:
    study = load_study(faulty_file, ["branches.failing.train_on=train", "branches.sft.ranks=2"])
    needs = branch_needs(study, gpus=0.5, memory=True)
    assert list(needs) == ["init", *study.branches]
    for name, one in needs.items():
        assert one == Needs(cpus=1.0, gpus=1 if name == "sft" else 0.5, memory=one.memory), "ranks share no GPU"
        assert ON_GPU < one.memory < ON_GPU + 10**6, "a tiny model"
    assert all(one.memory > PROCESS for one in branch_needs(study, gpus=0, memory=True).values())


def test_without_a_plan_nothing_is_known_of_memory(tiny_file: Path) -> None:
    study = load_study(tiny_file, ["ranks=2"])
    assert set(branch_needs(study, gpus=0, memory=False).values()) == {Needs(1.0, 0, 0)}
    assert set(branch_needs(study, gpus=0.5, memory=False).values()) == {Needs(1.0, 1, 0)}
