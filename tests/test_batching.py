"""What runs out of memory is split, what cannot be split is told in one line, and nothing else is caught."""

from collections.abc import Sequence

import pytest
import torch

from shiftgym.batching import BatchLimit, needing_memory, ran_out_of_memory, within_memory
from shiftgym.errors import ConfigError

CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"


class Counted:
    """A meter of one number."""

    def __init__(self) -> None:
        self.spent = 0

    def snapshot(self) -> int:
        return self.spent

    def restore(self, snapshot: int) -> None:
        self.spent = snapshot


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(CPU),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.OutOfMemoryError(""),
        MemoryError(),
    ],
)
def test_all_ways_to_run_out_of_memory_are_known(error: Exception) -> None:
    assert ran_out_of_memory(error)

    def fail() -> int:
        raise error

    assert within_memory(fail) is None


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), KeyError("memory")])
def test_any_other_error_propagates(error: Exception) -> None:
    def fail() -> int:
        raise error

    with pytest.raises(type(error)):
        within_memory(fail)
    with pytest.raises(type(error)), needing_memory("nothing"):
        fail()


@pytest.mark.parametrize("room", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("size", [None, 1, 5, 64])
def test_a_batch_that_does_not_fit_is_split_until_it_does(room: int, size: int | None) -> None:
    meter, limit, batches = Counted(), BatchLimit(size), []

    def squares(items: Sequence[int]) -> list[int]:
        meter.spent += len(items)
        if len(items) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        batches.append(len(items))
        return [item**2 for item in items]

    for _ in range(2):
        assert limit.run(range(20), squares, told="never", meter=meter) == [item**2 for item in range(20)]
    assert meter.spent == 40, "what failed is not counted"
    assert max(batches) <= min(room, size or 20)
    assert limit.halved == (min(size or 20, 20) > room)
    assert limit.record() == (limit.size if limit.halved else None)


def test_a_smaller_batch_is_remembered() -> None:
    failures, limit = [], BatchLimit()

    def work(items: Sequence[int]) -> Sequence[int]:
        if len(items) > 4:
            failures.append(len(items))
            raise MemoryError
        return items

    for _ in range(3):
        assert limit.run(range(16), work, told="never") == [*range(16)]
    assert failures == [16, 8]


def test_what_cannot_be_split_is_told_in_one_line() -> None:
    def fail(items: Sequence[int]) -> list[int]:
        raise RuntimeError(CPU)

    with pytest.raises(ConfigError, match=r"^out of memory: one item does not fit; lower it$"):
        BatchLimit().run([1, 2, 3], fail, told="one item does not fit; lower it")
    with (
        pytest.raises(ConfigError, match="^out of memory: all of it$"),
        needing_memory("all of it"),
    ):
        fail([1])
