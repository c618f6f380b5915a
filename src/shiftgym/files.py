"""Files that are written whole or not at all, and files of JSON lines."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shiftgym.errors import ConfigError, DataError


def make_folder(path: Path) -> None:
    """Make a folder to write into, unless it is there.

    Raises:
        ConfigError: it cannot be made, or not be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: no folder can be made there ({error.strerror}); give another one") from error
    if not os.access(path, os.W_OK):
        raise ConfigError(f"{path}: this folder cannot be written to; give another one")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path`, with the same ending, to write a file or a folder to.

    When the block ends it is renamed to `path`, in place of the file that stands there. After an exception or a kill
    `path` is as it was; what was left beside it is removed by the next writer.

    Raises:
        OSError: what was written is a folder, and `path` is a folder that is not empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    if unfinished.is_dir():
        shutil.rmtree(unfinished)
    unfinished.unlink(missing_ok=True)
    yield unfinished
    unfinished.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, in UTF-8."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a whole file of JSON lines."""
    with replacing(path) as unfinished:
        append_lines(unfinished, records)


def link_file(source: Path, target: Path) -> None:
    """Let `target`, where there is nothing yet, be the file `source`. So this is for files that are only ever replaced,
    never changed. Where the file system has no hard links it is copied."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def link_folder(source: Path, target: Path) -> None:
    """Make the folder `target` with all files of `source`, as `link_file` does."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        (link_folder if path.is_dir() else link_file)(path, target / path.name)


def append_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Add JSON lines to a log. Only here can a kill leave half a line, which then is the last one."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def drop_half_line(path: Path) -> None:
    """Remove what a kill left of the last line of a log; nothing if there is no such file."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON lines; none if there is no such file.

    Raises:
        DataError: a line is no JSON object. The message gives its number.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield _parse(line, f"{path}:{number}")


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log that may still be written to; none if there is no such file. Half a line at its end is left
    out.

    Raises:
        DataError: a whole line is no JSON object. The message gives its number.
    """
    if path.is_file():
        *whole, _ = path.read_text(encoding="utf-8").split("\n")
        yield from (_parse(line, f"{path}:{number}") for number, line in enumerate(whole, 1))


def read_json(path: Path) -> dict[str, Any]:
    """The one JSON object of a file.

    Raises:
        DataError: the file holds anything else.
    """
    return _parse(path.read_text(encoding="utf-8"), str(path))


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: no valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: a JSON object was expected")
    return value


def with_part(page: str, name: str, text: str) -> str:
    """A page with another text between `<!-- begin NAME -->` and `<!-- end NAME -->`; ValueError where these lack."""
    start = page.index(begin := f"<!-- begin {name} -->\n") + len(begin)
    return f"{page[:start]}{text}\n{page[page.index(f'<!-- end {name} -->', start) :]}"
