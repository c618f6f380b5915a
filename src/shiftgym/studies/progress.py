"""What a study shows while it runs: a live table in a terminal, a line for every event in a log.

Both read the files of the branches, as a report does; branches do not report to them.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from shiftgym.engines.base import State
from shiftgym.files import read_lines
from shiftgym.studies.config import Study
from shiftgym.studies.plan import PlannedBranch
from shiftgym.studies.tables import Init
from shiftgym.training.settings import FLOPS

TAIL = 4096
"""Bytes read from the end of a metrics file; one line is far shorter."""


class Progress:
    """How far one branch has come, read from its files."""

    def __init__(self, branch: PlannedBranch, study: Study, run: Path) -> None:
        self.branch = branch
        self.step = 0
        self.fraction = 0.0
        self.success: dict[str, float] = {}
        """Split -> success within the limit at the last evaluated checkpoint, in the study's first decoding."""
        self._study = study
        self._folder = branch.folder(run)
        self._size = 0

    def update(self) -> bool:
        """Read the files again; whether another checkpoint was evaluated since the last time."""
        last = _last_line(self._folder.metrics)
        if last:
            self.step = int(last["step"])
            table = self.branch.table
            budget = self._study.budget
            done, whole = (
                (last["step"], table.steps)
                if isinstance(table, Init)
                else (last[FLOPS[budget.accounting]], budget.flops)
            )
            self.fraction = min(1.0, done / whole)
        results = self._folder.results
        size = results.stat().st_size if results.is_file() else 0
        if size == self._size:
            return False
        self._size = size
        rows = list(read_lines(results))
        rows = [row for row in rows if row["step"] == rows[-1]["step"]]
        rows = [row for row in rows if row["decoding"] == self._study.evaluation.decodings[0]]
        self.success = {
            split: fmean(row["success"] for row in rows if row["split"] == split)
            for split in self._study.evaluation.splits
        }
        return True


class LogDisplay:
    """A line when a branch starts, is evaluated, or ends. The first one says on what `device` they run."""

    def __init__(
        self, study: Study, branches: Sequence[PlannedBranch], run: Path, console: Console, device: str
    ) -> None:
        self._console, self._device = console, device
        self._progress = {branch.title: Progress(branch, study, run) for branch in branches}
        self._states: dict[str, State] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._console.print(f"Device: {self._device}", highlight=False, soft_wrap=True)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, states: Mapping[str, State]) -> None:
        for title, state in states.items():
            progress = self._progress[title]
            if state != "waiting" and progress.update() and title in self._states:
                success = "  ".join(f"{split} {rate:.2f}" for split, rate in progress.success.items())
                self._say(title, f"step {progress.step}, {progress.fraction:.0%} of its compute: {success}")
            if state != self._states.get(title, "waiting"):
                self._say(title, state)
        self._states = dict(states)

    def _say(self, title: str, text: str) -> None:
        clock = _clock(time.monotonic() - self._began)
        self._console.print(f"{clock} {title}: {text}", highlight=False, soft_wrap=True)


class LiveDisplay:
    """A table of the branches that run or have ended, redrawn continually; fits 80 columns with up to four splits. Its
    title says on what `device` they run."""

    def __init__(
        self, study: Study, branches: Sequence[PlannedBranch], run: Path, console: Console, device: str
    ) -> None:
        self._study, self._device = study, device
        self._progress = {branch.title: Progress(branch, study, run) for branch in branches}
        self._began = time.monotonic()
        self._live = Live(console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, states: Mapping[str, State]) -> None:
        ended = sum(state not in ("waiting", "running") for state in states.values())
        table = Table(
            title=f"{self._study.name}  {ended} of {len(states)} branches  {_clock(time.monotonic() - self._began)}  "
            f"on {self._device}",
            caption=f"success with all attempts, {self._study.evaluation.decodings[0]}, at the last checkpoint",
            title_justify="left",
            caption_justify="left",
            box=None,
            pad_edge=False,
        )
        for heading in ("branch", "", "step", "compute", ""):
            table.add_column(heading, no_wrap=True, justify="right" if heading == "step" else "left")
        for split in self._study.evaluation.splits:
            table.add_column(split, justify="right", no_wrap=True)
        for title, state in states.items():
            if state == "waiting":
                continue
            progress = self._progress[title]
            progress.update()
            table.add_row(
                progress.branch.name,
                str(progress.branch.seed),
                str(progress.step),
                ProgressBar(total=1.0, completed=progress.fraction, width=12),
                f"{progress.fraction:.0%}" if state == "running" else state,
                *[f"{rate:.2f}" for rate in progress.success.values()],
            )
        self._live.update(table)


def _last_line(path: Path) -> dict[str, float]:
    """The last whole record of a file that is being written to; empty if there is none."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        whole = file.read().split(b"\n")[:-1]
    record: dict[str, float] = json.loads(whole[-1]) if whole else {}
    return record


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
