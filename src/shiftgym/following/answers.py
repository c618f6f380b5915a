"""Success at every checkpoint as far as it was evaluated, with intervals: what a report says, while the run goes on.

Values of single problems are kept as arrays of float32, as in `evaluation.rows.Cube`, so that means and intervals are
those of `reports.comparison.Comparison.rate`.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shiftgym.evaluation.statistics import estimate, value_of
from shiftgym.following.declaration import START, Declaration
from shiftgym.following.lines import is_finite

MOST = float(np.finfo(np.float32).max)
"""The largest value that is kept."""


class Key(NamedTuple):
    """One line of a figure: a branch over its checkpoints, in one view of one split."""

    branch: str
    split: str
    decoding: str
    measure: str

    def __str__(self) -> str:
        return "|".join(self)


class Point(NamedTuple):
    """A line at one checkpoint, over all seeds."""

    key: Key
    fraction: float


class Spent(NamedTuple):
    """What a branch with one seed had spent at a checkpoint, without what it started from."""

    step: int
    flops: float
    flops_paper: float


class Answers:
    """The answers of one run."""

    def __init__(self, declared: Declaration) -> None:
        self.changed: dict[Key, None] = {}
        """Lines that have other values, or further intervals, than when they were last taken from `line`."""
        self._declared = declared
        views = {split: declared.asked(split) for split in declared.splits}
        self._measures = {
            (split, decoding): list(dict.fromkeys(view.measure for view in of if view.decoding == decoding))
            for split, of in views.items()
            for decoding in declared.decodings
        }
        self._primary = {(split, *of[0][:2]) for split, of in views.items()}
        self._values: dict[Key, dict[float, dict[int, NDArray[np.float32]]]] = defaultdict(dict)
        """Line -> fraction -> seed -> (problems,); NaN: not answered, or the measure does not apply."""
        self._spent: dict[str, dict[float, dict[int, Spent]]] = defaultdict(dict)
        self._dealt: dict[tuple[str, str], NDArray[np.bool_]] = defaultdict(
            lambda: np.zeros(declared.problems, np.bool_)
        )
        """Split, decoding -> (problems,): whether any checkpoint answered a problem."""
        self._limits: dict[Point, tuple[float, float]] = {}
        self._wanted: tuple[dict[Point, None], dict[Point, None]] = ({}, {})
        """Points that have no interval yet: those of the primary measures, and the others."""

    def add(self, branch: str, seed: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of `results.jsonl`. Of several steps with the same fraction the later one counts."""
        before: tuple[Any, ...] = ()
        cells: dict[str, NDArray[np.float32]] = {}
        for row in rows:
            here = (row["split"], row["decoding"], row["step"], row["fraction"])
            if here != before:
                before, place, fraction = here, here[:2], row["fraction"]
                cells = self._cells(branch, seed, place, fraction)
                self._spent[branch].setdefault(fraction, {})[seed] = Spent(
                    row["step"], row["flops"], row["flops_paper"]
                )
            problem = row["problem"]
            # An earlier comparison may have asked more.
            if not cells or not 0 <= problem < self._declared.problems:
                continue
            if not self._dealt[place][problem]:
                self._dealt[place][problem] = True
                self._forget(place)
            for measure, values in cells.items():
                value = row.get(measure)
                values[problem] = value if is_finite(value) and abs(value) <= MOST else np.nan

    def _cells(self, branch: str, seed: int, place: tuple[str, str], fraction: float) -> dict[str, NDArray[np.float32]]:
        """Measure -> (problems,), to be filled, of one checkpoint on a split under a decoding."""
        found = {}
        for measure in self._measures.get(place, ()):
            key = Key(branch, *place, measure)
            seeds = self._values[key].setdefault(fraction, {})
            if seed not in seeds:
                seeds[seed] = np.full(self._declared.problems, np.nan, np.float32)
            found[measure] = seeds[seed]
            self._want(Point(key, fraction))
        return found

    def drop(self, branch: str, seed: int) -> None:
        """Forget a branch with one seed, whose rows are read again."""
        for key in [key for key in self._values if key.branch == branch]:
            for fraction in [at for at, seeds in self._values[key].items() if seed in seeds]:
                del self._values[key][fraction][seed]
                self._want(Point(key, fraction))
        for seeds in self._spent[branch].values():
            seeds.pop(seed, None)

    def last(self, branch: str, seed: int) -> dict[str, float]:
        """Split -> success at the last evaluated checkpoint, by the primary measure of the split."""
        found = {}
        for split in self._declared.splits:
            values = self._values.get(Key(branch, split, *self._declared.primary(split)[:2]), {})
            there = [fraction for fraction, seeds in values.items() if seed in seeds]
            if there and not np.isnan(of := values[max(there)][seed]).all():
                found[split] = float(np.nanmean(of))
        return found

    def checkpoints(self, branch: str, seed: int) -> int:
        """How many checkpoints have rows."""
        return sum(seed in seeds for seeds in self._spent[branch].values())

    def spent(self, branch: str, seed: int) -> Spent | None:
        """What was spent at the last evaluated checkpoint, without what the branch started from."""
        own = self._spent[branch]
        return max((seeds[seed] for seeds in own.values() if seed in seeds), default=None)

    def find_limits(self, until: float) -> bool:
        """Compute intervals, those of primary measures and of the newest points first.

        Args:
            until: when to stop, as `time.monotonic` counts.

        Returns:
            Whether there are more to be computed.
        """
        for wanted in self._wanted:
            while wanted and time.monotonic() < until:
                point, _ = wanted.popitem()
                if (values := self._at(point)) is not None:
                    found = estimate(values, seed=int(self._declared.study["data_seed"]))
                    self._limits[point] = (found.low, found.high)
                    self.changed[point.key] = None
        return any(self._wanted)

    def line(self, key: Key) -> dict[str, Any] | None:
        """A line as a page draws it; None if it has no point. Points stand in the order of their fractions; what has
        no interval yet has null there. Compute is a mean over seeds that includes what the branch started from had
        spent."""
        rows = []
        for fraction in sorted(self._values[key]):
            if (values := self._at(point := Point(key, fraction))) is not None:
                low, high = self._limits.get(point, (None, None))
                step, flops, paper = self._compute(key.branch, fraction)
                rows.append((fraction, flops, paper, step, value_of(values), low, high, len(values)))
        if not rows:
            return None
        names = ("fraction", "flops", "flops_paper", "step", "value", "low", "high", "seeds")
        columns = {name: list(of) for name, of in zip(names, zip(*rows, strict=True), strict=True)}
        return {**key._asdict(), **columns, "problems": int(self._dealt[key.split, key.decoding].sum())}

    def end(self, key: Key) -> dict[int, NDArray[np.float32]]:
        """Seed -> (problems,) at the last checkpoint of a line; only seeds that are done."""
        each = (self._done(Point(key, fraction)) for fraction in sorted(self._values[key], reverse=True))
        return next((done for done in each if done), {})

    def _done(self, point: Point) -> dict[int, NDArray[np.float32]]:
        """Seed -> (problems,) of one point; only seeds that are done."""
        dealt = self._dealt[point.key.split, point.key.decoding]
        seeds = self._values[point.key].get(point.fraction, {})
        return {seed: of[dealt] for seed, of in sorted(seeds.items()) if not np.isnan(of).all()}

    def _at(self, point: Point) -> NDArray[np.float32] | None:
        """(seeds, problems) of one point; only seeds that are done. None where the measure applies to no answer."""
        done = self._done(point)
        return np.stack([*done.values()]) if done else None

    def _compute(self, branch: str, fraction: float) -> tuple[float, float, float]:
        """Step, flops and flops_paper at a checkpoint."""
        step, flops, paper = (float(np.mean(of)) for of in zip(*self._spent[branch][fraction].values(), strict=True))
        info = self._declared.named[branch]
        if branch == START:
            return step, 0.0, 0.0
        # Milestones that one step passed together share a checkpoint, named after the last of them.
        later = [at for at, seeds in self._spent[info.start].items() if at >= info.start_at and seeds]
        if later:
            _, before, before_paper = self._compute(info.start, min(later))
            return step, flops + before, paper + before_paper
        return step, flops, paper

    def _want(self, point: Point) -> None:
        self.changed[point.key] = None
        self._limits.pop(point, None)
        self._wanted[point.key[1:] not in self._primary][point] = None

    def _forget(self, place: tuple[str, str]) -> None:
        """Of a split under one decoding another problem was dealt, which changes what is resampled."""
        for point in [each for each in self._limits if each.key[1:3] == place]:
            self._want(point)
