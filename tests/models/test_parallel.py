"""Ranks share work, give everything to all, and raise an error of one on all."""

import json
import os
from pathlib import Path

import pytest
import torch
from tests.groups import Group

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


def shared_work(folder):
    """What two ranks find, what they raise, and what the first meets once the second is gone."""
    ranks = Ranks.joined("cpu")
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
        told.append((type(raised.value).__name__, str(raised.value)))
    before = meter.snapshot()
    meter.done += 1 + ranks.rank
    ranks.add_up(meter, before)
    known = {
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
    ranks.wait()
    if ranks.first:
        try:
            ranks.spread(range(3), list)
        except RuntimeError as error:
            known["lost"] = lost_peer(error)
    (folder / f"{ranks.rank}.json").write_text(json.dumps(known))
    os._exit(0)


@pytest.mark.slow
def test_ranks_share_work_and_errors(tmp_path: Path) -> None:
    with Group(2, shared_work, tmp_path, folder=tmp_path / "logs") as group:
        assert group.codes() == [0, 0], group.printed(0) + group.printed(1)
    for rank in range(2):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["found"] == [0, 1, 4, 9, 16]
        assert found["none"] == []
        assert found["seen"] == ([1, 3] if rank else [0, 2, 4])
        assert found["counted"] == 100 + 10 + 3
        assert found["told"] == [["TrainingStopped", "a NaN"], ["ConfigError", "here: wrong"]]
        assert found["agreed"] == [True, False]
        assert found["sum"] == [2.0, 1.0]
        assert found["exchanged"] == [["rank", 0], ["rank", 1]]
        assert found["joined"] == [rank, 2, rank == 0, False]
        assert found.get("lost") is (None if rank else True)


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
    assert not lost_peer(torch.distributed.DistBackendError("NCCL error: Cuda failure 2 'out of memory'"))
