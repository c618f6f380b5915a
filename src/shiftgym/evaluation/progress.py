"""How many problems were answered: bars in a terminal, lines in a log. Read from the rows that were written."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console

QUIET = 30.0
"""Seconds between two lines about the same evaluation in a log."""


class AnsweredDisplay:
    """Shows how many of its problems each evaluation has answered, over all splits and decodings.

    Args:
        files: title of an evaluation -> the file that it writes its rows to.
        total: problems that each of them has to answer.
    """

    def __init__(self, files: Mapping[str, Path], total: int, console: Console) -> None:
        self._files, self._total, self._console = files, total, console
        self._told: dict[str, tuple[str, float]] = {}
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(20),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._ids = {title: self._bars.add_task(title, total=total) for title in files}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def show(self, states: Mapping[str, str]) -> None:
        """Show how far everything is now.

        Args:
            states: title -> `waiting`, `running`, or how it ended.
        """
        for title, state in states.items():
            if self._console.is_terminal:
                self._bars.update(self._ids[title], completed=self._answered(title))
            else:
                self._log(title, state)

    def _log(self, title: str, state: str) -> None:
        before, when = self._told.get(title, ("waiting", 0.0))
        now = time.monotonic()
        if state != before or (state == "running" and now - when > QUIET):
            self._told[title] = state, now
            line = f"{title}: {state}, {self._answered(title)} of {self._total} problems answered"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _answered(self, title: str) -> int:
        path = self._files[title]
        return path.read_bytes().count(b"\n") if path.is_file() else 0
