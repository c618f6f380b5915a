"""The benchmark of a GPU runs at toy size on the CPU; without a GPU it says so."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return pytest.importorskip("gpu")


def test_every_part_runs_at_toy_size(gpu: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with torch.random.fork_rng():
        assert gpu.main(["--toy"]) == 0
    printed = capsys.readouterr().out
    for told in (
        "product of two matrices",
        "SFT, float32 weights: share of the matrix rate",
        "PPO, bfloat16 weights: share of the matrix rate",
        "points-0, sampled: equal answers, captured and not                  1 ",
        "points-0: equal outcomes, CPU and GPU                               1 ",
        "rollouts of 4 rows: ours over generate, static and compiled",
        "rollouts of 2 rows: ours over generate, dynamic",
        "No target was missed.",
    ):
        assert told in printed


def test_a_part_that_fails_is_told_and_the_others_run(
    gpu: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **options: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(gpu, "agreement", fail)
    monkeypatch.setattr(gpu, "_answers", fail)
    with torch.random.fork_rng():
        assert gpu.main(["--toy"]) == 1
    told = capsys.readouterr()
    assert "RuntimeError: broken" in told.err
    assert "agreement failed; rollouts of 4 rows: ours, captured failed" in told.out
    assert "rollouts of 2 rows: generate, dynamic" in told.out


def test_without_a_gpu_it_is_one_line(
    gpu: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "target", "missed"),
    [
        (1.1, {"least": 1.0}, False),
        (0.9, {"least": 1.0}, True),
        (0.1, {"most": 0.2}, False),
        (0.3, {"most": 0.2}, True),
    ],
)
def test_a_missed_target_is_told_and_counts(
    gpu: ModuleType, capsys: pytest.CaptureFixture[str], value: float, target: dict[str, float], missed: bool
) -> None:
    bench = gpu.Bench(torch.device("cuda"), gpu.FULL)
    bench.tell("a ratio", value, **target)
    bench.tell("left out", None, **target)
    assert bench.missed == (["a ratio"] if missed else [])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("MISSED" if missed else "PASS")
    assert lines[1].split() == ["left", "out", "-"]


def test_the_shape_has_as_many_parameters_as_it_says(gpu: ModuleType) -> None:
    with torch.device("meta"):
        model = gpu.Bench(torch.device("meta"), gpu.FULL).model(torch.bfloat16)
    assert model.num_parameters() == pytest.approx(1.07e9, rel=0.005)
    assert "1.07e9 parameters" in gpu.__doc__
