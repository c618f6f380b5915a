"""What a report shows besides the verdicts: secondary measures, rankings, ladders, gaps, curves against compute."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from shiftgym.evaluation.measures import MEASURES, Diagnosed, Measure, Where
from shiftgym.evaluation.power import detected_difference
from shiftgym.evaluation.probed import PROBES, Column, Probed, columns
from shiftgym.evaluation.statistics import Floats, Interval
from shiftgym.evaluation.summaries import Summary
from shiftgym.following.declaration import START, BranchInfo, View
from shiftgym.reports.comparison import MANY, Comparison, Difference
from shiftgym.reports.entries import EARLY, Entry, at_checkpoint, source
from shiftgym.reports.runs import LoadedComparison


class Ranked(NamedTuple):
    """An entry in the ranking by the primary measure."""

    entry: Entry
    away: Difference
    """Gain over the start on the shifted split."""
    home: Difference
    """Gain over the start at home, by the same measure."""
    point: tuple[float, float]
    """The measure at home and on the shifted split."""
    front: bool
    """Whether nothing, the start included, is at least as good at both and better at one (Pareto)."""


class Analysis(Comparison):
    """A comparison, and everything else that a report shows."""

    @property
    def home(self) -> str:
        return self.compare.home

    @property
    def shifted(self) -> Sequence[str]:
        return self.compare.shifted

    @cached_property
    def judged_first(self) -> list[str]:
        """The evaluated splits: shifted ones first, then the one at home."""
        first = [*self.shifted, self.home]
        return [*first, *(split for split in self.splits if split not in first)]

    def primary(self, split: str) -> View:
        """The primary measure of a split."""
        return self.first.primary(split)

    @cached_property
    def drawn(self) -> list[BranchInfo]:
        """The branches that figures and secondary tables show, in the order of the study file, the start among them:
        all, or where there are more than `MANY`, those that the study is about and the best of the others by the
        primary measure of the first shifted split, controls before further ones."""
        if len(self.first.branches) <= MANY + 1:
            return self.first.branches
        best = sorted((entry for entry in self.others if entry.name != EARLY), key=self._merit)
        about = [entry for entry in (self.start, self.supervised, self.reinforced) if entry]
        chosen = {entry.branch for entry in [*about, *best][: MANY + 1]}
        return [branch for branch in self.first.branches if branch.name in chosen]

    def _merit(self, entry: Entry) -> tuple[bool, float]:
        """What the best of many entries are chosen by; the smaller, the better."""
        split = self.judged_first[0]
        decoding, measure, _ = self.primary(split)
        return entry.part != "control", -np.nan_to_num(self._mean(entry, split, decoding, measure), nan=-np.inf)

    @cached_property
    def shown(self) -> list[Entry]:
        """The entries of `drawn`."""
        names = {branch.name for branch in self.drawn}
        return [entry for entry in self.entries if entry.branch in names]

    @cached_property
    def hidden(self) -> list[Entry]:
        """The entries for which figures and secondary tables have no room."""
        shown = set(self.shown)
        return [entry for entry in self.entries if entry not in shown]

    def secondary(self, split: str) -> list[View]:
        """The views that are not the primary one."""
        return self.first.secondary(split)

    def asked(self, split: str) -> list[View]:
        """The primary measure of a split, and then the other views."""
        return self.first.asked(split)

    @cached_property
    def several(self) -> bool:
        """Whether problems have several decisions."""
        samples = {"sampled": self.first.samples}
        return any(of.decisions > of.problems * samples.get(of.decoding, 1) for of in self.first.summaries)

    @cached_property
    def sees(self) -> bool:
        """Whether problems are shown in pictures, so that recognition was measured."""
        return any(self.applies(MEASURES["recognised"], split) for split in self.splits)

    @cached_property
    def outcomes(self) -> set[str]:
        """The outcomes that occur."""
        return {name for run in self.runs for of in run.summaries for name in (*of.first, *of.final)}

    @cached_property
    def kinds(self) -> bool:
        """Whether the task sorts decisions into kinds."""
        return any(of.kinds for of in self.first.summaries)

    def applies(self, measure: Measure[Diagnosed], split: str) -> bool:
        """Whether a measure applies to a split. Measures of several decisions or attempts have values also
        where there is only one of them, but then add no information, as do ends of answers that never came."""
        if measure.where == Where.REVISION:
            return self.first.limit > 1
        if measure.where == Where.SEVERAL:
            return self.several
        means = [of.means[measure.name] for of in self.first.summaries if of.split == split]
        return any(means) if measure.where == Where.ENDS else any(mean is not None for mean in means)

    @property
    def comparisons(self) -> list[tuple[Entry, Entry]]:
        """The branches that the study is about against the start and each other, then every other entry that is shown
        against the reinforced branch; each as (a, b) of a - b."""
        start, supervised, reinforced = self.start, self.supervised, self.reinforced
        pairs = [(supervised, start), (reinforced, start), (reinforced, supervised)]
        pairs += [(entry, reinforced or start) for entry in self.others if entry in self.shown]
        return [(a, b) for a, b in pairs if a and b]

    def detected(self, a: Entry, b: Entry, split: str) -> float | None:
        """The smallest difference of two entries in the primary measure that these runs can detect, by their own
        spreads; None where the measure does not apply."""
        decoding, measure, _ = self.primary(split)
        return detected_difference(self.answers(a, split, decoding, measure), self.answers(b, split, decoding, measure))

    @cached_property
    def rankings(self) -> dict[str, list[Ranked]]:
        """For each shifted split, all entries but the start, ordered by their gain there, the largest first."""
        return {split: self._ranking(split) for split in self.shifted}

    def _ranking(self, split: str) -> list[Ranked]:
        start, (decoding, measure, _) = self.start, self.primary(split)
        if start is None:
            return []
        points = {entry: self.point(entry, split) for entry in self.entries}
        front = _front(points.values())
        found = []
        for entry, point in points.items():
            away, home = (self.difference(entry, start, of, decoding, measure) for of in (split, self.home))
            if entry != start and away and home:
                found.append(Ranked(entry, away, home, point, point in front))
        return sorted(found, key=lambda ranked: -ranked.away.interval.value)

    def point(self, entry: Entry, split: str) -> tuple[float, float]:
        """The primary measure of a shifted split, at home and on that split."""
        decoding, measure, _ = self.primary(split)
        home, away = (self._mean(entry, of, decoding, measure) for of in (self.home, split))
        return home, away

    def _mean(self, entry: Entry, split: str, decoding: str, measure: str) -> float:
        answers = self.answers(entry, split, decoding, measure)
        return float("nan") if np.isnan(answers).all() else float(np.nanmean(answers))

    @property
    def probes(self) -> list[Measure[Probed]]:
        """The measures of memorisation and forgetting. What a model that came from elsewhere was taught is not
        known."""
        known = not isinstance(self.first, LoadedComparison)
        return [measure for measure in PROBES.values() if known or measure.where is not Where.LEARNS_EXPERT]

    def probed(self, entry: Entry, split: str) -> dict[Column, Interval | None]:
        """The measures of memorisation and forgetting; empty if they were not taken."""
        clusters = [
            [columns(row) for row in run.probes(entry.branch, fraction, split) if row["seed"] == seed]
            for run, fraction in zip(self.runs, entry.fractions, strict=True)
            for seed in run.cube.seeds
        ]
        full = max(clusters, key=len)
        nothing = [dict.fromkeys(full[0])] * len(full) if full else []
        values = {
            column: np.array([[row[column] for row in rows or nothing] for rows in clusters], float)
            for column in (full[0] if full else ())
            if column.measure in self.probes
        }
        return {
            column: (self.interval if column.measure.share else self._of_numbers)(of) for column, of in values.items()
        }

    @property
    def gapped(self) -> bool:
        """Whether both problems that were trained on and unseen problems of the same kind were evaluated."""
        return self.compare.train in self.splits and self.home != self.compare.train

    def gap(self, entry: Entry, view: View) -> Interval | None:
        """Success on problems that were trained on minus that on unseen ones of the same kind. Problem i of one split
        is paired with problem i of the other. They are unrelated, so the interval is that of two independent means."""
        sides = (self.compare.train, self.home)
        trained, held_out = (self.answers(entry, split, view.decoding, view.measure) for split in sides)
        return self.interval(trained, held_out)

    def slope(self, entry: Entry, rungs: Sequence[str], view: View) -> Interval | None:
        """Change of success from one rung of a ladder to the next, by least squares."""
        steps = np.arange(len(rungs)) - (len(rungs) - 1) / 2
        weights = steps / (steps**2).sum()
        answers = [self.answers(entry, split, view.decoding, view.measure) for split in rungs]
        return self._of_numbers(np.tensordot(weights, np.stack(answers), axes=1))

    def _of_numbers(self, values: Floats) -> Interval | None:
        """The interval of a mean of numbers (clusters, problems) that are no shares, even where all of them are 0."""
        return self.interval(values, np.zeros_like(values))

    def summaries(self, entry: Entry, split: str, decoding: str) -> list[Summary]:
        """The summaries of an entry, one a seed of each run."""
        return [
            of
            for run, fraction in zip(self.runs, entry.fractions, strict=True)
            for of in run.summaries_at(entry.branch, fraction, split, decoding)
        ]

    def curve(self, branch: BranchInfo) -> list[Entry]:
        """A branch at each of its checkpoints, what it starts from first. For a single run."""
        (run,) = self.runs
        checkpoints = [at_checkpoint(run, branch, fraction) for fraction in run.cube.checkpoints(branch.name)]
        start = source(run, branch)
        return [*([start] if start else []), *checkpoints]

    def compute(self, entry: Entry, axis: str) -> float:
        """What a branch of a single run has spent since the common start on one of `LoadedRun.axes`, as a mean over
        seeds. What the branch that it started from had spent is included."""
        (run,) = self.runs
        cube = run.cube
        if entry.branch == START:
            return 0.0
        spent = cube.compute[axis][cube.branches[entry.branch], cube.fractions[entry.fractions[0]]]
        start = source(run, run.named[entry.branch])
        return float(np.nanmean(spent)) + (self.compute(start, axis) if start else 0.0)


def _front(points: Iterable[tuple[float, float]]) -> set[tuple[float, float]]:
    """The points to which no other one is at least equal in both numbers."""
    front = set()
    highest = -np.inf
    # From right to left, each must be higher than all to its right. NaN is no point.
    for x, y in sorted({(x, y) for x, y in points if not np.isnan(x + y)}, reverse=True):
        if y > highest:
            front.add((x, y))
            highest = y
    return front
