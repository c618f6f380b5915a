"""How far the candidates are: bars in a terminal, lines in a log. Read from the rows that they have written."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console

from shiftgym.candidates.find import Candidate, Checkpoint
from shiftgym.candidates.judging import Judging
from shiftgym.engines.base import State
from shiftgym.layout import BranchFolder, RunFolder

QUIET = 30.0
"""Seconds between two lines about the same candidate in a log."""


@dataclass(frozen=True, slots=True)
class Answering:
    """One candidate that has to answer at one checkpoint."""

    candidate: Candidate
    checkpoint: Checkpoint

    @property
    def title(self) -> str:
        """The candidate, and the step where it has several."""
        several = len(self.candidate.checkpoints) > 1
        return f"{self.candidate.label} at step {self.checkpoint.step}" if several else self.candidate.label

    def folder(self, run: Path) -> BranchFolder:
        return RunFolder(run).candidate(self.candidate.key, self.checkpoint.step)


class Progress:
    """Shows how many problems each candidate has answered, over all splits and decodings."""

    def __init__(self, todo: Mapping[str, Answering], judging: Judging, run: Path, console: Console) -> None:
        of = judging.study.evaluation
        self._files = {title: one.folder(run).results for title, one in todo.items()}
        self._total = len(of.splits) * len(of.decodings) * of.problems
        self._console = console
        self._told: dict[str, tuple[State, float]] = {}
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(20),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._ids = {title: self._bars.add_task(title, total=self._total) for title in todo}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, states: Mapping[str, State]) -> None:
        for title, state in states.items():
            if self._console.is_terminal:
                self._bars.update(self._ids[title], completed=self._answered(title))
            else:
                self._log(title, state)

    def _log(self, title: str, state: State) -> None:
        before, when = self._told.get(title, ("waiting", 0.0))
        now = time.monotonic()
        if state != before or (state == "running" and now - when > QUIET):
            self._told[title] = state, now
            self._console.print(
                f"{title}: {state}, {self._answered(title)} of {self._total} problems answered",
                highlight=False,
                soft_wrap=True,
            )

    def _answered(self, title: str) -> int:
        path = self._files[title]
        return path.read_bytes().count(b"\n") if path.is_file() else 0
