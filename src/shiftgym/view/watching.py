"""Boards that are kept up to date while somebody reads them: one thread for each, however many readers there are."""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from shiftgym.errors import DataError
from shiftgym.following.board import Board
from shiftgym.view.faults import FAULTS, in_a_line

POLL = 0.5
"""Seconds between two looks at a run folder."""

BREATH = 0.005
"""Seconds between them while there is more to read, in which readers take what is there."""

LINGER = 30.0
"""Seconds for which a run is followed after its last reader has gone, who may be about to come back."""

PROBLEMS = 16
"""So many problems are kept as they were shown last; one may have a hundred pictures."""

PATCHES = 16
"""So many patches are kept encoded, from as many older versions to the present one."""

BUG = "an error of the server; its log has the traceback"
"""All that a reader is told of a bug."""

LOG = logging.getLogger(__name__)


class BoardKeeper(Protocol):
    """What keeps a board up to date, as `following.Follower` does."""

    @property
    def board(self) -> Board:
        """What there is to see."""

    def look(self) -> bool:
        """Take in what is new; whether there is more to be had at once."""

    def problem(self, split: str, index: int) -> dict[str, Any]:
        """How a problem is shown. It may be asked from another thread."""


class Watch:
    """The board of one run, which a thread of its own keeps up to date until this is closed.

    Readers live on the event loop in which this is made. Each asks for what is newer than what it heard last, so a slow
    one gets fewer and larger patches, and nothing is kept for it.

    Args:
        folder: of the run.
        follow: makes what keeps its board up to date.
    """

    def __init__(self, folder: Path, follow: Callable[[Path], BoardKeeper]) -> None:
        self.closed = False
        self._folder, self._keeper = folder, follow(folder)
        self._incarnation = secrets.token_hex(6)
        """Versions of a board mean something only for that board."""
        self._present: str | None = None
        """The id of what is known, as the readers know it; None before the first look."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        self._reading, self._encoding, self._asking = threading.Lock(), threading.Lock(), threading.Lock()
        self._encoded: dict[str, tuple[str, str]] = {}
        """Id that a reader has -> the present one, and the patch between them."""
        self._problems: dict[tuple[str, int], str] = {}
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    async def newer(self, heard: str, seconds: float) -> tuple[str, str] | None:
        """The id of what is known now, and what changed since, as JSON; None if nothing did in so many seconds, or if
        this was closed.

        Args:
            heard: the id of what the reader heard last; any other text if it heard nothing.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self.closed and self._present in (None, heard):
                    await self._news.wait()
        except TimeoutError:
            return None
        return None if self.closed else await asyncio.to_thread(self._since, heard)

    async def problem(self, split: str, index: int) -> str:
        """How a problem is shown, as JSON; DataError if there is none."""
        return await asyncio.to_thread(self._problem, split, index)

    def close(self) -> None:
        """Let readers and the thread end."""
        self.closed = True
        self._stop.set()
        self._tell(self._present)

    def _run(self) -> None:
        fault, more = None, True
        while not self._stop.wait(BREATH if more else POLL):
            with self._reading:
                before = fault
                try:
                    if not self._folder.is_dir():
                        raise DataError(f"the run folder {self._folder} is gone")
                    more, fault = self._keeper.look(), None
                except FAULTS as error:
                    more, fault = False, in_a_line(self._folder, error)
                except Exception:
                    more, fault = False, BUG
                    if before != BUG:
                        LOG.exception("following %s", self._folder)
                self._keeper.board.put("run", "fault", fault)
                present = self._id()
            if present != self._present and not self._stop.is_set():
                self._loop.call_soon_threadsafe(self._tell, present)

    def _tell(self, present: str | None) -> None:
        self._present = present
        self._news.set()
        self._news = asyncio.Event()

    def _id(self) -> str:
        return f"{self._incarnation}-{self._keeper.board.version}"

    def _version(self, heard: str) -> int | None:
        """The version of the board in an id; None if it is no id of this watch."""
        incarnation, _, version = heard.rpartition("-")
        is_one = incarnation == self._incarnation and version.isascii() and version.isdigit() and len(version) < 20
        return int(version) if is_one else None

    def _since(self, heard: str) -> tuple[str, str]:
        """Encoded once for all readers that heard the same."""
        with self._encoding:
            with self._reading:
                now, board = self._id(), self._keeper.board
                version = self._version(heard)
                known = version is not None and version <= board.version and board.reaches(version)
                patch = board.since(version or 0) if known else board.since()
            heard = heard if known else ""
            if self._encoded.get(heard, ("",))[0] != now:
                text = json.dumps({"whole": not known, "patch": patch}, separators=(",", ":"), allow_nan=False)
                # What leads to older versions is of no use any more.
                kept = {since: one for since, one in self._encoded.items() if one[0] == now}
                if len(kept) >= PATCHES:
                    del kept[next(iter(kept))]
                self._encoded = {**kept, heard: (now, text)}
            return self._encoded[heard]

    def _problem(self, split: str, index: int) -> str:
        with self._asking:
            if (split, index) not in self._problems:
                shown = self._keeper.problem(split, index)
                self._problems[split, index] = json.dumps(shown, separators=(",", ":"), allow_nan=False)
                if len(self._problems) > PROBLEMS:
                    del self._problems[next(iter(self._problems))]
            return self._problems[split, index]


class Watches:
    """The watches of the runs that somebody reads.

    Args:
        follow: as for `Watch`.
    """

    def __init__(self, follow: Callable[[Path], BoardKeeper]) -> None:
        self._follow = follow
        self._watches: dict[Path, Watch] = {}
        self._readers: dict[Path, int] = {}
        self._leaving: dict[Path, asyncio.TimerHandle] = {}
        """Of watches without a reader: what will close them."""
        self._closed = False

    @contextmanager
    def reading(self, folder: Path) -> Iterator[Watch]:
        """The watch of a run, which is kept for as long as it has a reader, and a little longer."""
        if folder not in self._watches:
            self._watches[folder] = Watch(folder, self._follow)
            self._readers[folder] = 0
        watch = self._watches[folder]
        if folder in self._leaving:
            self._leaving.pop(folder).cancel()
        if self._closed:
            watch.close()
        self._readers[folder] += 1
        try:
            yield watch
        finally:
            self._readers[folder] -= 1
            if not self._readers[folder]:
                self._leaving[folder] = asyncio.get_running_loop().call_later(LINGER, self._forget, folder)

    def _forget(self, folder: Path) -> None:
        self._watches.pop(folder).close()
        del self._readers[folder], self._leaving[folder]

    def close(self) -> None:
        """Let all readers end, those that are still to come too."""
        self._closed = True
        for watch in self._watches.values():
            watch.close()
