"""One thread follows a run for all who read it, each gets what it lacks, and no fault of a run reaches another."""

import asyncio
import json
import threading

import pytest
from tests.view.run_folders import make_run

from shiftgym.errors import DataError
from shiftgym.following import board
from shiftgym.following.board import Board
from shiftgym.following.follower import Follower
from shiftgym.view import watching
from shiftgym.view.watching import BUG, Watch, Watches


class Follows:
    """Puts the values that it is given onto its board, one a look, and raises those that are errors."""

    def __init__(self, folder, *values):
        self.board, self.values, self.asked = Board(), list(values), []

    def look(self):
        value = self.values.pop(0) if self.values else None
        if isinstance(value, Exception):
            raise value
        if value is not None:
            self.board.put("run", "value", value)
        return bool(self.values)

    def problem(self, split, index):
        self.asked.append((split, index))
        if index > 90:
            raise DataError("there is none")
        return {"prompts": [split]}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(watching, "POLL", 0.01)
    monkeypatch.setattr(watching, "BREATH", 0.001)


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path / "run").path


async def heard(watch, until, last=""):
    """What a reader knows of section `run` once `until` holds, the id of the last event, and whether each was whole."""
    values, whole = {}, []
    while not until(values):
        newer = await watch.newer(last, 20)
        assert newer is not None
        last, text = newer
        event = json.loads(text)
        whole.append(event["whole"])
        values |= event["patch"].get("run", {})
    return values, last, whole


def watched(follow, folder, use):
    """What `use(watch)` returns."""

    async def carried_out():
        watch = Watch(folder, follow)
        try:
            return await use(watch)
        finally:
            watch.close()

    return asyncio.run(carried_out())


def test_a_reader_gets_the_whole_and_then_what_changes(folder):
    follows = Follows(folder, 1, 2)

    async def use(watch):
        _, last, whole = await heard(watch, lambda known: known.get("value") == 2)
        assert await watch.newer(last, 0.05) is None, "nothing is new"
        follows.values.append(3)
        known, again, parts = await heard(watch, lambda known: known, last)
        assert (known, parts) == ({"value": 3}, [False])
        old = await watch.newer(last, 1)
        assert old == await watch.newer(last, 1) and json.loads(old[1]) == {"whole": False, "patch": {"run": known}}
        for forgotten in ("", "another-1", again + "x", "x" + again, again.replace("-", "-+"), "-", "١"):
            assert json.loads((await watch.newer(forgotten, 1))[1])["whole"], forgotten
        return whole[0]

    assert watched(lambda _: follows, folder, use) is True


def test_what_is_read_slowly_is_told_in_fewer_pieces(folder):
    follows = Follows(folder, *range(1, 50))

    async def use(watch):
        _, last, _ = await heard(watch, lambda known: known)
        while follows.values:
            await asyncio.sleep(0.01)
        newer = await watch.newer(last, 1)
        return json.loads(newer[1])["patch"]

    assert watched(lambda _: follows, folder, use) == {"run": {"value": 49}}


def test_where_removals_are_forgotten_all_is_sent_again(folder, monkeypatch):
    monkeypatch.setattr(board, "REMOVALS", 1)
    follows = Follows(folder, 1)

    async def use(watch):
        _, last, _ = await heard(watch, lambda known: known)
        with watch._reading:
            for key in "abc":
                follows.board.put("run", key, 1)
                follows.board.put("run", key, None)
        newer = await watch.newer(last, 20)
        assert json.loads(newer[1]) == {"whole": True, "patch": {"run": {"value": 1}}}

    watched(lambda _: follows, folder, use)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("this file\nis broken"), "this file is broken"),
        (PermissionError(13, "not yours", "x"), "[Errno 13] not yours: 'x'"),
        (KeyError("label"), "RUN: not what a run writes (KeyError: 'label')"),
        (ZeroDivisionError("bug"), BUG),
    ],
)
def test_a_fault_is_a_line_until_it_is_over(error, said, folder, caplog):
    follows = Follows(folder, 1, error, error)

    async def use(watch):
        known, last, _ = await heard(watch, lambda known: "fault" in known)
        assert known == {"value": 1, "fault": said.replace("RUN", str(folder))}
        follows.values.append(2)
        return await heard(watch, lambda known: known.get("value") == 2, last)

    known, *_ = watched(lambda _: follows, folder, use)
    assert known["fault"] is None
    assert len(caplog.records) == (said == BUG), "a bug is logged, once"


def test_a_run_that_goes_is_told_and_may_come_back(folder):
    async def use(watch):
        _, last, _ = await heard(watch, lambda known: known.get("head"))
        study = folder / "study.toml"
        text = study.read_text()
        study.write_text("= broken")
        broken, last, _ = await heard(watch, lambda known: known.get("fault"), last)
        assert "no valid TOML" in broken["fault"]
        study.unlink()
        folder.rmdir()
        gone, last, _ = await heard(watch, lambda known: "gone" in (known.get("fault") or ""), last)
        assert gone["fault"] == f"the run folder {folder} is gone"
        folder.mkdir()
        study.write_text(text.replace("A study", "Another one"))
        await heard(watch, lambda known: known.get("head", {}).get("title") == "Another one", last)

    watched(Follower, folder, use)


def test_a_run_is_followed_while_it_has_readers_and_a_little_longer(folder, monkeypatch):
    monkeypatch.setattr(watching, "LINGER", 0.03)
    follows = Follows(folder, 1)
    before = threading.active_count()

    async def returning(watches):
        """How many watches one sees who is away for a moment again and again, and longer than `LINGER` in all."""
        found = set()
        for _ in range(10):
            with watches.reading(folder) as found_now:
                found.add(found_now)
            await asyncio.sleep(0.01)
        return len(found)

    async def use():
        watches = Watches(lambda _: follows)
        with watches.reading(folder) as one, watches.reading(folder) as other:
            assert one is other
            await one.newer("", 20)
            assert threading.active_count() == before + 2, "one thread follows; in one more it was encoded"
        with watches.reading(folder) as again:
            assert again is one
            await asyncio.sleep(0.06)
            assert not again.closed
        await asyncio.sleep(0.06)
        assert one.closed
        assert await returning(watches) == 1, "who comes back in time finds the same one each time"
        with watches.reading(folder) as another:
            assert another is not one
            watches.close()
            assert another.closed and await another.newer("", 20) is None
        with watches.reading(folder) as late:
            assert late.closed

    asyncio.run(use())


def test_a_problem_is_made_once(folder, monkeypatch):
    monkeypatch.setattr(watching, "PROBLEMS", 2)
    follows = Follows(folder)

    async def use(watch):
        for index in (1, 2, 1, 3, 1):
            assert await watch.problem("id", index) == '{"prompts":["id"]}'
        with pytest.raises(DataError):
            await watch.problem("id", 99)

    watched(lambda _: follows, folder, use)
    assert follows.asked == [("id", 1), ("id", 2), ("id", 3), ("id", 1), ("id", 99)]
