"""Captured steps, with a stand-in for the device that records operators and runs them again on the same memory."""

import pytest
import torch
from tests.models.replay import FakeCuda

from shiftgym.errors import ConfigError
from shiftgym.models.generation.captured import Cuda, Graphs


def graphs() -> Graphs:
    return Graphs(FakeCuda(torch.device("cpu")))


def test_a_step_is_captured_once_and_replayed_on_the_same_memory() -> None:
    captured, total, more = graphs(), torch.zeros(()), torch.ones(())
    calls = []

    def step() -> None:
        calls.append(1)
        total.add_(more * 2)

    captured.run("key", step, 3)
    more.fill_(10)
    captured.run("key", step, 2)
    assert total == 3 * 2 + 2 * 20
    assert (len(calls), captured.device.captures) == (1, 1)
    captured.run("other", step, 2)
    assert captured.device.captures == 2


def test_a_step_that_is_run_once_is_not_captured() -> None:
    captured, total = graphs(), torch.zeros(())
    captured.run("key", lambda: total.add_(1), 1)
    assert (total, captured.device.captures) == (1, 0)


def test_the_longest_unused_step_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Graphs, "MOST", 2)
    captured, total = graphs(), torch.zeros(())
    for key in "abaca":
        captured.run(key, lambda: total.add_(1), 2)
    assert captured.device.captures == 3, "b made room for c"
    captured.run("b", lambda: total.add_(1), 2)
    assert (total, captured.device.captures) == (12, 4)


def test_what_waits_for_the_device_is_run_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    captured, total = graphs(), torch.zeros(())

    def step() -> None:
        total.add_(1 if total.ge(0).item() else 2)

    for _ in range(2):
        captured.run("key", step, 3)
    assert (total, captured.device.captures) == (6, 0)
    assert capsys.readouterr().err.count("waits for the device") == 1


def test_an_error_of_the_step_is_not_hidden() -> None:
    def step() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        graphs().run("key", step, 3)


@pytest.mark.parametrize("error", ["operation not permitted when stream is capturing", "CUDA out of memory"])
def test_a_step_that_cuda_does_not_capture_is_run_as_it_is(
    error: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(device: FakeCuda, step: object) -> None:
        raise RuntimeError(error)

    monkeypatch.setattr(FakeCuda, "capture", fail)
    captured, total = graphs(), torch.zeros(())
    if "memory" in error:
        with pytest.raises(RuntimeError, match="out of memory"):
            captured.run("key", lambda: total.add_(1), 3)
        return
    for _ in range(2):
        captured.run("key", lambda: total.add_(1), 3)
    assert total == 6
    assert capsys.readouterr().err.count(f"does not capture those of this model: {error}") == 1


def test_only_cuda_captures() -> None:
    with pytest.raises(ConfigError, match="on CUDA alone, and this model is on cpu"):
        Cuda(torch.device("cpu"))
