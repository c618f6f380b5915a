"""The whole lines that a file of JSON lines has got since it was last looked at."""

import errno
import json
import math
import os
import stat
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from pydantic_core import from_json

from shiftgym.errors import DataError

BLOCK = 1 << 18
"""Bytes read at a time."""

LARGEST = 1 << 24
"""Bytes of a file that is read as one object, and of a line. A folder from elsewhere may hold files of any size."""

END = 1 << 26
"""Bytes of the end of a file that are read at most."""

ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.EISDIR, errno.ENXIO)
"""Errors of a file that is not there, is a link or no file at all, or was just replaced."""


def opened(path: Path) -> BinaryIO | None:
    """A file of a run folder to be read; None if there is none. Links are not followed, and devices are not opened,
    since a run folder may come from elsewhere."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


def has_links(path: Path, run: Path) -> bool:
    """Whether a folder of a run is a link, or lies in one."""
    return path != run and (path.is_symlink() or has_links(path.parent, run))


def read_object(path: Path) -> dict[str, Any] | None:
    """The one JSON object of a small file; None if there is no such file.

    Raises:
        DataError: the file holds anything else.
    """
    file = opened(path)
    if file is None:
        return None
    with file:
        found = parsed(file.read(LARGEST))
    if found is None:
        raise DataError(f"{path}: a JSON object was expected")
    return found


def tail(path: Path, size: int) -> str:
    """The last lines of a text file, about `size` bytes of them; empty if there is no such file."""
    file = opened(path)
    if file is None:
        return ""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read(size).decode(errors="replace")


@dataclass(slots=True)
class New:
    """What one look has found."""

    lines: list[bytes] = field(default_factory=list)
    """Whole lines, without their ends."""
    anew: bool = False
    """Whether they begin with the first line again: the file was cut back, or another one has taken its place."""
    more: bool = False
    """Whether there is more to be read at once."""


class Lines:
    """Reads a file that is added to, whole line by whole line. A last line without its end is left for later.

    Logs are cut back to a checkpoint, and results are written again as a whole with each evaluation, both by putting
    another file in the place of the first. What was read before is told by its digest: where the other file begins with
    it, reading goes on behind it, so that nothing is parsed twice.
    """

    def __init__(self) -> None:
        self._file: tuple[int, ...] | None = None
        """Device and inode, and those of its folder with the time of its last entry: a file that was removed may hand
        its inode on to the one that is written in its place."""
        self._offset = 0
        self._digest = blake2b()

    def new(self, path: Path, limit: int = BLOCK) -> New:
        """What was added; nothing if there is no such file.

        Args:
            path: may be another one than the last time, as where a file was published.
            limit: about so many bytes are read at most. A line that is longer is read whole; one of more than
                `LARGEST` bytes, which no run writes, comes in pieces.
        """
        # Asked first: if its folder changes in between, the file is compared once more at the next look.
        around = _stamp(path.parent)
        file = opened(path)
        if file is None:
            return New()
        found = New()
        with file:
            status = os.fstat(file.fileno())
            is_file = (status.st_dev, status.st_ino, *around)
            if status.st_size < self._offset or not (self._file == is_file or self._begins_alike(file)):
                self._offset, self._digest = 0, blake2b()
                found.anew = True
            self._file = is_file
            if status.st_size == self._offset:
                return found
            file.seek(self._offset)
            text = file.read(limit)
            while b"\n" not in text and len(text) < LARGEST and (further := file.read(limit)):
                text += further
        whole = text[: text.rfind(b"\n") + 1] or (text if len(text) >= LARGEST else b"")
        self._offset += len(whole)
        self._digest.update(whole)
        found.more = bool(whole) and self._offset < status.st_size
        found.lines = whole.removesuffix(b"\n").split(b"\n") if whole else []
        return found

    def _begins_alike(self, file: BinaryIO) -> bool:
        """Whether a file begins with what was read before."""
        digest, left = blake2b(), self._offset
        while left and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
        return not left and digest.digest() == self._digest.digest()


def _stamp(folder: Path) -> tuple[int, ...]:
    """Device and inode of a folder and the time of its last entry; nothing if it has just gone, as that of a try does
    when its branch is published."""
    try:
        status = folder.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns


def parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line; None if it is none. In a text, half of a surrogate pair becomes a question mark, since
    such a text cannot be sent or written."""
    try:
        # This parser takes a third of the time of Python's own, but no halves of pairs.
        value = from_json(line)
    except ValueError:
        try:
            # It takes deeper nestings than the other, which are then refused like any that neither takes.
            text = json.dumps(json.loads(line), ensure_ascii=False)
            value = from_json(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def is_finite(value: Any) -> TypeGuard[float]:
    """Whether a value is a number that a float can hold, and neither infinite nor NaN. Integers in JSON may be of any
    size."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def finite(value: Any) -> Any:
    """A value of JSON in which None stands for each number that is not finite."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, int | float) and not is_finite(value) else value


def last_lines(path: Path, count: int) -> list[bytes]:
    """The last whole lines of a file, at most `count`, in their order; none if there is no such file. Only the end of
    the file is read, and of that at most `END` bytes."""
    file = opened(path)
    if file is None:
        return []
    with file:
        begin = end = file.seek(0, os.SEEK_END)
        blocks: list[bytes] = []
        ends = 0
        while begin and ends <= count + 1 and end - begin < END:
            size = min(BLOCK // 4, begin)
            begin -= size
            file.seek(begin)
            blocks.append(file.read(size))
            ends += blocks[-1].count(b"\n")
    # The first piece may be half a line, and the last one is, or is empty.
    return b"".join(reversed(blocks)).split(b"\n")[0 if begin == 0 else 1 : -1][-count:]
