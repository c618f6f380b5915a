"""The runs that lie in a folder, by the names that their pages have."""

import os
from collections.abc import Iterator
from pathlib import Path

from shiftgym.layout import RunFolder

DEPTH = 3
"""Run folders are looked for so many levels down: a folder of suites, in a folder of them."""

WITHIN = "~"
"""Stands in the name of a run for the slash between folders, so that a name is one part of a URL."""


class Runs:
    """The run folders in a folder, or the one run that it is.

    Nothing is ever looked up by a path that somebody asks for: a name is compared with those that were found.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alone = RunFolder(folder).study.is_file()
        """Whether the folder is a run itself."""
        self._found: dict[str, Path] = {}

    @property
    def name(self) -> str:
        """What the folder is called."""
        return _shown(self.folder.resolve().name or str(self.folder))

    def all(self) -> dict[str, Path]:
        """Name -> folder of the runs that are there now."""
        if self.alone:
            self._found = {self.name: self.folder}
        else:
            found = [(_shown(WITHIN.join(path.relative_to(self.folder).parts)), path) for path in _runs(self.folder)]
            # The same name is made of two folders where one has the sign itself. The first one keeps it.
            self._found = dict(reversed(found))
        return self._found

    def get(self, name: str) -> Path | None:
        """The folder of a run; None if there is none of that name."""
        return self._found.get(name) or self.all().get(name)


def leads_out(folder: Path) -> Path | None:
    """A symbolic link below a folder that leads out of it; None where there is none."""
    inside = folder.resolve()
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(above, name)
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                return path
    return None


def _runs(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The run folders below a folder, by name. Symbolic links are not followed, and hidden folders not entered."""
    try:
        below = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:
        # It has gone since it was seen, or is for others to read.
        return
    for path in (folder / name for name in below if not name.startswith(".")):
        if RunFolder(path).study.is_file():
            yield path
        elif depth > 1:
            yield from _runs(path, depth - 1)


def _shown(name: str) -> str:
    """The name of a folder as text that every encoding of a page can hold."""
    return os.fsencode(name).decode("utf-8", "replace")
