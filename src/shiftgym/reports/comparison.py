"""The one rule by which a run is judged: from rows to a difference, its interval, and a verdict.

Headline, tables, the terminal and the claims of a suite all take their verdicts from here, so they cannot disagree.
What is compared is what the study declared in `[compare]` before it ran; names of branches and splits have
no meaning. Seeds are clusters; backbones are clusters of seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shiftgym.evaluation.statistics import Floats, Interval, difference, estimate, only_value, wilson
from shiftgym.reports.entries import Entry, find_entries
from shiftgym.reports.runs import LoadedRun

MANY = 16
"""More branches than this, the start aside, have no room in a figure or a list of names."""

Verdict = Literal["rose", "fell", "undecided"]


def verdict_of(interval: Interval, bound: float = 0.0) -> Verdict:
    """On which side of `bound` an interval lies."""
    return "rose" if interval.low > bound else "fell" if interval.high < bound else "undecided"


def at_least_wilson(rate: Interval) -> Interval:
    """A rate whose interval reaches at least to Wilson's limit, since the bootstrap interval has no width where all
    answers are wrong."""
    trials = (len(rate.each) or 1) * rate.problems
    return replace(rate, high=max(rate.high, wilson(round(rate.value * trials), trials).high))


class Level(NamedTuple):
    """A value that a measure has in every answer. Resampling such answers gives an interval without width, which says
    nothing about how sure the value is."""

    measure: str
    value: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry minus another on one split by one measure, paired by seed and problem."""

    a: Entry
    b: Entry
    interval: Interval
    level: Level | None = None
    """The value of every answer on both sides, where all are equal: nothing can then be told from the difference."""

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.interval)


class Condition(NamedTuple):
    """One of the three differences that make up the effect, and the verdict that the effect wants of it."""

    difference: Difference
    wanted: Verdict

    @property
    def state(self) -> Literal["holds", "contradicted", "undecided"]:
        verdict = self.difference.verdict
        return "undecided" if verdict == "undecided" else "holds" if verdict == self.wanted else "contradicted"


@dataclass(frozen=True, slots=True)
class Effect:
    """How the supervised and the reinforced branch changed on a shifted split, by its primary measure."""

    conditions: tuple[Condition, ...]
    """The supervised branch fell, the reinforced one rose, the reinforced one ends above the supervised one: all three,
    or fewer where a branch is missing."""

    @property
    def level(self) -> Level | None:
        """The value of every answer of all these branches, where all are equal."""
        levels = {condition.difference.level for condition in self.conditions}
        return levels.pop() if len(levels) == 1 else None

    @property
    def verdict(self) -> Literal["appeared", "did not appear", "undecided"]:
        """Appeared if all three conditions hold, did not if one is contradicted."""
        states = [condition.state for condition in self.conditions]
        if "contradicted" in states:
            return "did not appear"
        return "appeared" if states == ["holds"] * 3 else "undecided"


class Comparison:
    """The answers of one run, or of several runs of one study on different backbones, ready to be compared."""

    def __init__(self, runs: Sequence[LoadedRun]) -> None:
        self.runs = list(runs)
        self.first = runs[0]
        self.compare = self.first.compare
        self.splits = self.first.splits
        self.seed = int(self.first.study["data_seed"])
        self._rates: dict[tuple[Entry, str, str, str], Interval | None] = {}

    @cached_property
    def entries(self) -> list[Entry]:
        return find_entries(self.runs)

    @cached_property
    def start(self) -> Entry | None:
        return self._entry("start")

    @cached_property
    def supervised(self) -> Entry | None:
        """The supervised branch that the study is about."""
        return self._entry("supervised")

    @cached_property
    def reinforced(self) -> Entry | None:
        """The branch trained by reinforcement that the study is about."""
        return self._entry("reinforced")

    def _entry(self, part: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.part == part), None)

    @property
    def others(self) -> list[Entry]:
        """Everything that could match the reinforced branch: SFT stopped early, controls, further branches."""
        return [entry for entry in self.entries if entry not in (self.start, self.supervised, self.reinforced)]

    @property
    def backbones(self) -> list[int]:
        """The backbone of each cluster."""
        return [index for index, run in enumerate(self.runs) for _ in run.cube.seeds]

    def answers(self, entry: Entry, split: str, decoding: str, measure: str) -> Floats:
        """(clusters, problems); the clusters are the seeds of the first run, then those of the next. NaN: not done."""
        return np.concatenate(
            [
                run.cube.answers(measure, entry.branch, fraction, split, decoding)
                for run, fraction in zip(self.runs, entry.fractions, strict=True)
            ]
        )

    def rate(self, entry: Entry, split: str, decoding: str, measure: str) -> Interval | None:
        """The mean of a measure, or None where it applies to no answer."""
        asked = (entry, split, decoding, measure)
        if asked not in self._rates:
            self._rates[asked] = self.interval(self.answers(*asked))
        return self._rates[asked]

    def difference(self, a: Entry, b: Entry, split: str, decoding: str, measure: str) -> Difference | None:
        """`a` minus `b` over the seeds that both have done; None where there is no such seed."""
        found = self.interval(self.answers(a, split, decoding, measure), self.answers(b, split, decoding, measure))
        return Difference(a, b, found, self.level([a, b], [split], decoding, measure)) if found else None

    def level(self, entries: Sequence[Entry], splits: Sequence[str], decoding: str, measure: str) -> Level | None:
        """The value of every answer of some entries on some splits; None where they differ, or the measure applies to
        none of them."""
        value = only_value(*(self.answers(entry, split, decoding, measure) for entry in entries for split in splits))
        return None if value is None else Level(measure, value)

    def judged(self, a: Entry, b: Entry, split: str) -> Difference | None:
        """`a` minus `b` by the primary measure."""
        return self.difference(a, b, split, self.compare.decoding, self.compare.primary(split))

    def effect(self, split: str) -> Effect:
        """How the branches that the study is about changed on a shifted split."""
        start, supervised, reinforced = self.start, self.supervised, self.reinforced
        wanted: list[tuple[Entry | None, Entry | None, Verdict]] = [
            (supervised, start, "fell"),
            (reinforced, start, "rose"),
            (reinforced, supervised, "rose"),
        ]
        return Effect(
            tuple(
                Condition(found, verdict) for a, b, verdict in wanted if a and b and (found := self.judged(a, b, split))
            )
        )

    def rivals(self, split: str) -> list[Difference]:
        """The entries that tie with or beat the reinforced branch on a split by the primary measure, minus that
        branch."""
        reinforced = self.reinforced
        if reinforced is None:
            return []
        found = [self.judged(other, reinforced, split) for other in self.others]
        return [one for one in found if one and one.verdict != "fell"]

    def interval(self, a: Floats, b: Floats | None = None) -> Interval | None:
        """Of the mean of `a`, or of that of `a` minus that of `b`, over the clusters that are done; both arrays are
        (clusters, problems)."""
        done: NDArray[np.bool_] = np.asarray(~np.isnan(a).all(axis=1))
        if b is not None:
            done = np.asarray(done & ~np.isnan(b).all(axis=1))
        if not done.any():
            return None
        backbones = [backbone for backbone, is_done in zip(self.backbones, done, strict=True) if is_done]
        if b is None:
            return estimate(a[done], backbones, seed=self.seed)
        return difference(a[done], b[done], backbones, seed=self.seed)
