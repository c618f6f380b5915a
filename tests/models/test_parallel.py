"""Ranks share work, give everything to all, and raise an error of one on all."""

from pathlib import Path

import pytest
import torch
from tests.models.ranked import on_ranks

from shiftgym.errors import ConfigError, ShiftgymError, TrainingStopped
from shiftgym.models.parallel import ALONE, Ranks, lost_peer


class Count:
    """A meter of one number."""

    def __init__(self):
        self.done = 0

    def snapshot(self):
        return self.done

    def restore(self, snapshot):
        self.done = snapshot

    def since(self, snapshot):
        return [self.done - snapshot]

    def add(self, counted):
        self.done += counted[0]


class Worse(ConfigError):
    """One that cannot be made from its message alone."""

    def __init__(self, where, why):
        super().__init__(f"{where}: {why}")


def shared_work(ranks):
    """What two ranks find, and what they raise."""
    meter, seen = Count(), []
    meter.done = 100

    def work(items):
        seen.extend(items)
        meter.done += sum(items)
        return [item * item for item in items]

    found = ranks.spread(range(5), work, meter)
    none = ranks.spread([], work, meter)
    told = []
    for error in [TrainingStopped("a NaN"), Worse("here", "wrong")]:

        def fails(items, error=error):
            if 3 in items:
                raise error
            return items

        with pytest.raises(ShiftgymError) as raised:
            ranks.spread(range(5), fails)
        told.append((type(raised.value), str(raised.value)))
    before = meter.snapshot()
    meter.done += 1 + ranks.rank
    ranks.add_up(meter, before)
    return {
        "found": found,
        "none": none,
        "seen": seen,
        "counted": meter.done,
        "told": told,
        "agreed": [ranks.agree(ranks.rank == 1), ranks.agree(False)],
        "sum": ranks.sum(torch.tensor([1.0, ranks.rank])).tolist(),
        "exchanged": ranks.exchanged(("rank", ranks.rank)),
        "joined": (ranks.rank, ranks.count, ranks.first, ranks.alone),
    }


def test_ranks_share_work_and_errors(tmp_path: Path) -> None:
    found = on_ranks(2, "tests.models.test_parallel:shared_work", folder=tmp_path)
    for rank, each in enumerate(found):
        assert each["found"] == [0, 1, 4, 9, 16]
        assert each["none"] == []
        assert each["seen"] == [0, 2, 4][rank and 3 :] + [1, 3] * rank
        assert each["counted"] == 100 + 10 + 3
        assert each["told"] == [(TrainingStopped, "a NaN"), (ConfigError, "here: wrong")]
        assert each["agreed"] == [True, False]
        assert each["sum"] == [2.0, 1.0]
        assert each["exchanged"] == [("rank", 0), ("rank", 1)]
        assert each["joined"] == (rank, 2, rank == 0, False)


def test_a_process_without_others_does_all_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert Ranks.joined("cpu") is ALONE
    assert ALONE.share([1, 2, 3]) == [1, 2, 3]
    assert ALONE.spread([1, 2], lambda items: [2 * item for item in items]) == [2, 4]
    assert ALONE.exchanged(5) == [5]
    assert ALONE.agree(True)
    assert not ALONE.agree(False)


@pytest.mark.parametrize(
    "message",
    [
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:2331",
        "[enforce fail at pair.cc:534] Read error [127.0.0.1]:3: Connection reset by peer",
        "Timed out waiting 1000ms for recv operation to complete",
        "Application timeout caused pair closure",
    ],
)
def test_a_broken_process_group_is_told_from_other_errors(message: str) -> None:
    assert lost_peer(RuntimeError(message))
    assert not lost_peer(ValueError(message))
    assert lost_peer(torch.distributed.DistBackendError("NCCL error"))
    assert not lost_peer(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not lost_peer(torch.OutOfMemoryError("CUDA out of memory."))
