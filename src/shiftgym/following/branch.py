"""What one branch writes, read as it is written.

While a branch runs, its files lie in the folder of its current try; when it has ended, in its own. Each kind of reader
takes what is new since it was asked last, from wherever the newest file lies. Followers and trackers use the same ones:

    reader = BranchReader(RunFolder(folder).branch("ppo-seed0"))
    reader.new_steps()      every step, with its metrics and seconds, unthinned
    reader.new_rows()       the rows of every evaluated problem
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shiftgym.following.lines import Lines, is_finite, last_lines, parsed, read_object
from shiftgym.layout import BranchFolder

DECISIONS = b', "decisions": ['
"""Where the measures of a row end and what happened at each decision begins. No text in JSON can hold this, since a
quote in it has a backslash before it."""

NUMBER = (int, float)

Fields = dict[str, Any]
"""What every line of a file has, and its type. Numbers are finite."""

METRICS: Fields = {"step": int, "flops": NUMBER, "flops_paper": NUMBER}
TIMINGS: Fields = {"step": int, "collect": NUMBER, "learn": NUMBER}
ROWS: Fields = {
    "branch": str,
    "seed": int,
    "split": str,
    "decoding": str,
    "problem": int,
    "step": int,
    "fraction": NUMBER,
    "flops": NUMBER,
    "flops_paper": NUMBER,
}


@dataclass(slots=True)
class Records:
    """What one look has found."""

    records: list[dict[str, Any]] = field(default_factory=list)
    anew: bool = False
    """Whether they begin with the first one again, since what was read before does not hold any more: a branch went
    on from an earlier checkpoint."""
    more: bool = False
    """Whether there is more to be read at once."""


class BranchReader:
    """Reads one branch.

    Args:
        published: its folder in the run, which need not be there yet; or the folder of `shiftgym train`, or that of a
            candidate at one checkpoint.
    """

    def __init__(self, published: BranchFolder) -> None:
        self.published = published
        self.problem = ""
        """What cannot be read, if anything."""
        self._try: BranchFolder | None = None
        self._metrics, self._timings, self._results = Lines(), Lines(), Lines()
        self._steps: dict[int, dict[str, Any]] = {}
        """Steps whose seconds are still to come."""
        self._seconds: dict[int, dict[str, Any]] = {}

    def find_try(self) -> None:
        """Look whether another process of this branch has begun, or the last one has ended."""
        folder = self.published
        begun = not folder.done.is_file() and not folder.path.is_symlink()
        self._try = (
            next((each for each in reversed(folder.tries()) if not each.path.is_symlink()), None) if begun else None
        )

    @property
    def tries(self) -> int:
        """How many processes were started, as far as a folder tells; 0 where none does."""
        return int(self._try.path.name.rpartition("-")[2]) if self._try else 0

    def newest(self, file: Callable[[BranchFolder], Path]) -> Path:
        """Where a file of the branch lies that has the newest content, if it is there at all."""
        if self._try is not None and (path := file(self._try)).is_file():
            return path
        return file(self.published)

    def has_begun(self) -> bool:
        """Whether there is anything of it."""
        return self.published.path.is_dir()

    def failed(self) -> bool:
        """Whether it looks as a branch does whose last process failed: what that printed was added to the branch's own
        log. Only a run without `states.json` needs to be asked."""
        return self._try is not None and not self._try.log.is_file() and self.published.log.is_file()

    def done(self) -> dict[str, Any] | None:
        """How it ended; None if it has not.

        Raises:
            DataError: done.json is not to be read.
        """
        return read_object(self.published.done)

    def new_steps(self) -> Records:
        """New training steps, oldest first: their lines of metrics.jsonl and timings.jsonl in one."""
        steps, seconds = self.newest(lambda folder: folder.metrics), self.newest(lambda folder: folder.timings)
        metrics, timings = self._metrics.new(steps), self._timings.new(seconds)
        anew = metrics.anew or timings.anew
        if anew:
            # One of them may be cut back before the other, or alone: where the last step had no seconds yet.
            self._metrics, self._timings, self._steps, self._seconds = Lines(), Lines(), {}, {}
            metrics, timings = self._metrics.new(steps), self._timings.new(seconds)
        self._steps |= {step["step"]: step for step in self._parsed(metrics.lines, steps, METRICS)}
        self._seconds |= {times["step"]: times for times in self._parsed(timings.lines, seconds, TIMINGS)}
        # The line with the seconds is written last.
        whole = [step for step in self._steps if step in self._seconds]
        found = [self._steps.pop(step) | self._seconds.pop(step) for step in whole]
        return Records(found, anew, metrics.more or timings.more)

    def new_rows(self) -> Records:
        """New rows of results.jsonl, without what happened at each decision."""
        path = self.newest(lambda folder: folder.results)
        found = self._results.new(path)
        return Records(self._parsed(found.lines, path, ROWS, until=DECISIONS), found.anew, found.more)

    def last_step(self) -> dict[str, Any]:
        """The last training step, read from the end of metrics.jsonl; empty if there is none."""
        path = self.newest(lambda folder: folder.metrics)
        return next(iter(self._parsed(last_lines(path, 1), path, METRICS)), {})

    def last_rows(self, count: int) -> list[dict[str, Any]]:
        """The rows of the last evaluated checkpoint, read from the end of results.jsonl.

        Args:
            count: the rows that a checkpoint has.
        """
        path = self.newest(lambda folder: folder.results)
        rows = self._parsed(last_lines(path, count), path, ROWS, until=DECISIONS)
        return [row for row in rows if row["step"] == rows[-1]["step"]]

    def _parsed(self, lines: list[bytes], path: Path, fields: Fields, until: bytes = b"") -> list[dict[str, Any]]:
        """The records of some lines of a file. What is none is told and left out.

        Args:
            until: what stands in a line from here on is left out.
        """
        found = []
        for line in lines:
            at = line.find(until) if until else -1
            record = parsed(line if at < 0 else line[:at] + b"}")
            if record is not None and all(_is(record.get(key), kind) for key, kind in fields.items()):
                found.append(record)
                continue
            wanted = "that is no JSON object" if record is None else f"without {', '.join(fields)}"
            shown = line[:60].decode(errors="replace")
            self.problem = f"{self.published.path.name}/{path.name}: there is a line {wanted}: {shown}"
        return found


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and (kind is str or is_finite(value))
