"""Whole reports of runs as they are now. Each is made by a process of its own, so that what draws figures takes no
memory here, and comes back through a pipe."""

import asyncio
import os
import sys
from collections import defaultdict
from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.following.driver import is_alive, read_standing
from shiftgym.layout import RunFolder
from shiftgym.view.folders import leads_out

# -P: a module that lies in the current folder is no part of this package.
COMMAND = (sys.executable, "-P", "-m", "shiftgym.view.rendered")

KEPT = 2
"""So many reports are kept, of a few MB each."""

Version = tuple[object, ...]
"""Files of a run with their size and when they were written, and how its branches stand."""


class Reports:
    """The reports that were asked for last. A run has one process at a time, and a report is made again only when
    results have changed."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Version, bytes]] = {}
        self._turns: dict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.making: set[asyncio.subprocess.Process] = set()

    async def html(self, folder: Path) -> bytes:
        """The report of the run in a folder.

        Raises:
            DataError: there is none, in a line.
        """
        async with self._turns[folder]:
            version = await asyncio.to_thread(_version, folder)
            kept = self._kept.pop(folder, None)
            if kept is None or kept[0] != version:
                if (link := await asyncio.to_thread(leads_out, folder)) is not None:
                    raise DataError(f"{link}: leads out of the run folder, so no report is made of it")
                kept = (version, await self._made(folder))
            self._kept[folder] = kept
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
            return kept[1]

    async def _made(self, folder: Path) -> bytes:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            str(folder.absolute()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            env={"OMP_NUM_THREADS": "1"} | os.environ,
        )
        self.making.add(process)
        try:
            text, errors = await process.communicate()
        finally:
            self.making.discard(process)
            if process.returncode is None:
                process.kill()
        if process.returncode:
            said = errors.decode(errors="replace").strip().splitlines() or [f"it ended with {process.returncode}"]
            raise DataError(f"no report can be made: {said[-1]}")
        return text

    def close(self) -> None:
        """End what is being made."""
        for process in self.making:
            if process.returncode is None:
                process.kill()


def _version(folder: Path) -> Version:
    """What a report depends on."""
    run = RunFolder(folder)
    single = (run.study, run.environment, run.results, run.probes, run.episodes, run.verdict)
    ended = (branch.done for branch in run.begun())
    found = []
    for path in (*single, *ended, *folder.glob("branches/*/*.jsonl"), *folder.glob("candidates/*/*/*.jsonl")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path), status.st_size, status.st_mtime_ns))
    # Of states.json the states alone: a driver that is alive writes it again every few seconds.
    standing = read_standing(run)
    return (*sorted(found), is_alive(run, standing), *sorted(standing.states.items()))
