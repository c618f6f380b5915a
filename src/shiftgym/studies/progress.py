"""What a study shows while it runs: a live table in a terminal, a line for every event in a log.

Both read the files of the branches, as a report does; branches do not report to them. What waits or has ended is not
looked at, so that thousands of branches can be shown.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shiftgym.engines.base import State
from shiftgym.following.branch import BranchReader
from shiftgym.studies.config import Study
from shiftgym.studies.plan import PlannedBranch
from shiftgym.studies.tables import Init
from shiftgym.studies.tries import Tries
from shiftgym.training.settings import FLOPS

AROUND = 7
"""Lines of a terminal that the live table leaves to what is not a row."""

NAMED = 3
"""Most branches that are named in one line below it."""


class Progress:
    """How far one branch has come, read from the files of its current try, or else from those that are published."""

    def __init__(self, branch: PlannedBranch, study: Study, tries: Tries) -> None:
        self.branch, self.tries = branch, tries
        self.step = 0
        self.fraction = 0.0
        self.success: dict[str, float] = {}
        """Split -> success within the limit at the last evaluated checkpoint, in the study's first decoding."""
        self._study = study
        self._sizes = {"metrics": 0, "results": 0}

    def update(self) -> bool:
        """Read what is new; whether another checkpoint was evaluated since the last time."""
        folder = self.tries.current or self.tries.published
        reader = BranchReader(folder)
        if self._grown("metrics", folder.metrics) and (last := reader.last_step()):
            self.step = last["step"]
            table = self.branch.table
            budget = self._study.budget
            done, whole = (
                (last["step"], table.steps)
                if isinstance(table, Init)
                else (last[FLOPS[budget.accounting]], budget.flops)
            )
            self.fraction = min(1.0, done / whole)
        if not self._grown("results", folder.results):
            return False
        of = self._study.evaluation
        rows = reader.last_rows(len(of.splits) * len(of.decodings) * of.problems)
        rows = [row for row in rows if row["decoding"] == of.decodings[0]]
        answered = {split: [row["success"] for row in rows if row["split"] == split] for split in of.splits}
        self.success = {split: fmean(values) for split, values in answered.items() if values}
        return True

    def _grown(self, which: str, path: Path) -> bool:
        """Whether a file is of another length than the last time."""
        before = self._sizes[which]
        self._sizes[which] = path.stat().st_size if path.is_file() else 0
        return self._sizes[which] != before


@dataclass(eq=False)
class _Display:
    """What both displays are made of."""

    study: Study
    branches: Sequence[PlannedBranch]
    tries: Mapping[str, Tries]
    """Those of each branch, by its title."""
    console: Console
    device: str
    """On what branches run, in words."""

    def __post_init__(self) -> None:
        self._progress = {one.title: Progress(one, self.study, self.tries[one.title]) for one in self.branches}
        self._began = time.monotonic()

    @property
    def _clock(self) -> str:
        """The time since it began, in minutes and seconds."""
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 60:02d}:{seconds % 60:02d}"


@dataclass(eq=False)
class LogDisplay(_Display):
    """A line when a branch starts, is evaluated, is started again, or ends. The first one says on what `device` they
    run."""

    _states: dict[str, State] = field(default_factory=dict, init=False)
    _told: dict[str, int] = field(default_factory=dict, init=False)
    """How often each branch was begun, as far as it was told."""

    def __enter__(self) -> Self:
        self.console.print(f"Device: {self.device}", highlight=False, soft_wrap=True)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, states: Mapping[str, State]) -> None:
        """Print what has happened since the last time. Only the files of branches that run are read."""
        if not self._states:
            if earlier := sum(state == "done" for state in states.values()):
                self._say(f"{earlier} of {len(states)} branches are done already")
            self._states = {title: state for title, state in states.items() if state == "done"}
        for title, state in states.items():
            before = self._states.get(title, "waiting")
            if state == before != "running":
                continue
            progress = self._progress[title]
            if progress.tries.begun > self._told.get(title, 1):
                self._told[title] = progress.tries.begun
                self._say(f"{title}: lost: {progress.tries.lost}")
            if progress.update() and before == "running":
                success = "  ".join(f"{split} {rate:.2f}" for split, rate in progress.success.items())
                self._say(f"{title}: step {progress.step}, {progress.fraction:.0%} of its compute: {success}")
            if state != before:
                self._say(f"{title}: {state}")
        self._states = dict(states)

    def _say(self, text: str) -> None:
        self.console.print(f"{self._clock} {text}", highlight=False, soft_wrap=True)


@dataclass(eq=False)
class LiveDisplay(_Display):
    """A table of the branches that run, and of those that ended last, redrawn continually. It fits the terminal: 80
    columns hold up to four splits, and branches for which there is no row are counted. Its title says on what `device`
    they run."""

    _ended: dict[str, None] = field(default_factory=dict, init=False)
    """The branches that have ended, in that order."""
    _read: set[str] = field(default_factory=set, init=False)
    """Those of them whose end is read, which does not change any more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._live = Live(console=self.console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, states: Mapping[str, State]) -> None:
        running = [title for title, state in states.items() if state == "running"]
        self._ended |= dict.fromkeys(title for title, state in states.items() if state not in ("waiting", "running"))
        room = max(1, self.console.height - AROUND)
        ended = list(self._ended)[-(room - len(running)) :] if room > len(running) else []
        shown = {*running[:room], *ended}
        title = f"{self.study.name}  {len(self._ended)} of {len(states)} branches  {self._clock}  on {self.device}"
        table = Table(box=None, pad_edge=False)
        for heading in ("branch", "", "step", "compute", ""):
            table.add_column(heading, no_wrap=True, justify="right" if heading == "step" else "left")
        for split in self.study.evaluation.splits:
            table.add_column(split, justify="right", no_wrap=True)
        for name, state in states.items():
            if name in shown:
                table.add_row(*self._row(name, state))
        below = self._below(running, Counter(states[name] for name in states if name not in shown))
        self._live.update(Group(_line(title, "table.title"), table, *(_line(each, "table.caption") for each in below)))

    def _row(self, title: str, state: State) -> Iterator[str | ProgressBar]:
        progress = self._progress[title]
        if title not in self._read:
            progress.update()
            if state != "running":
                self._read.add(title)
        yield progress.branch.name
        yield str(progress.branch.seed)
        yield str(progress.step)
        yield ProgressBar(total=1.0, completed=progress.fraction, width=12)
        yield f"{progress.fraction:.0%}" if state == "running" else state
        yield from (f"{rate:.2f}" for rate in progress.success.values())

    def _below(self, running: Sequence[str], hidden: Mapping[State, int]) -> Iterator[str]:
        yield f"success with all attempts, {self.study.evaluation.decodings[0]}, at the last checkpoint"
        if hidden:
            yield "not shown: " + ", ".join(f"{count} {state}" for state, count in hidden.items())
        if again := [title for title in running if self._progress[title].tries.begun > 1]:
            more = f" and {len(again) - NAMED} more" if len(again) > NAMED else ""
            yield f"started again: {', '.join(again[:NAMED])}{more}"


def _line(text: str, style: str) -> Text:
    """Text that takes one line, however narrow the terminal is."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")
