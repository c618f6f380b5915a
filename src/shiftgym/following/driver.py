"""What the driver of a run says of its branches in `states.json`, and whether it is still there."""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from shiftgym.errors import DataError
from shiftgym.following.lines import read_object
from shiftgym.layout import RunFolder

SIGN = 5.0
"""Seconds within which a driver that is alive gives a sign of life."""

SILENT = 60.0
"""Seconds without a sign after which a driver on another machine counts as gone."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the branches stand, as the driver saw it last."""

    states: Mapping[str, str] = field(default_factory=dict)
    """Title -> `waiting`, `running`, `done`, `failed` or `skipped`."""
    seconds: Mapping[str, FiniteFloat] = field(default_factory=dict)
    """Title -> seconds for which it has run, over all its tries."""
    tries: Mapping[str, int] = field(default_factory=dict)
    """Title -> how many processes were started for it."""
    began: str = ""
    """When the run began first (ISO 8601)."""
    spent: FiniteFloat = 0.0
    """Seconds for which there was a driver."""
    machine: str = ""
    """Where the driver runs; see `this_machine`."""

    def record(self) -> dict[str, Any]:
        """The values of `states.json`."""
        return asdict(self)


_STANDING = TypeAdapter(Standing)


def read_standing(run: RunFolder) -> Standing:
    """What `states.json` says; nothing, of a run that has none.

    Raises:
        DataError: the file is none of a driver.
    """
    try:
        return _STANDING.validate_python(read_object(run.states) or {})
    except ValidationError:
        raise DataError(f"{run.states}: is none that a driver has written") from None


def is_alive(run: RunFolder, standing: Standing) -> bool:
    """Whether the driver of a run is at work.

    On its own machine the kernel tells who holds which lock, so a driver that was killed is missed at once, and nobody
    has to take the lock. A driver elsewhere is judged by the age of its last sign of life; both clocks have to agree
    to about a minute.
    """
    try:
        lock = run.lock.stat()
    except FileNotFoundError:
        return False
    # Where a file system has no device of its own, the kernel and `stat` may number it differently.
    major, minor = os.major(lock.st_dev), os.minor(lock.st_dev)
    if (major, minor if major else 0, lock.st_ino) in _locked():
        return True
    if standing.machine in ("", this_machine()):
        return False
    return time.time() - run.states.lstat().st_mtime < SILENT


@cache
def this_machine() -> str:
    """This start of this machine, and the part of it whose locks are seen from here: a container has its own."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{boot.read_text().strip()} {Path('/proc/self/ns/pid').readlink()}" if boot.is_file() else ""


def _locked() -> set[tuple[int, int, int]]:
    """All files that a process of this machine holds a lock on: major and minor number of the device, where it has one,
    and inode."""
    locks = Path("/proc/locks")
    # As in `1: FLOCK  ADVISORY  WRITE 4711 fe:00:131077 0 EOF`; who waits for one has an arrow before its kind.
    rows = [line.split() for line in locks.read_text().splitlines()] if locks.is_file() else []
    found = set()
    for row in rows:
        if row[1] == "FLOCK":
            major, minor, inode = row[5].split(":")
            found.add((int(major, 16), int(minor, 16) if int(major, 16) else 0, int(inode)))
    return found
