"""The comparisons of one run, or of several runs of one study on different backbones.

An *entry* is what a table row or a bar speaks of: the start, a branch at the end of its budget, or SFT stopped early,
which is a checkpoint of the SFT branch and is compared like a control.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shiftgym.evaluation.measures import MEASURES, Diagnosed, Measure, Where
from shiftgym.evaluation.power import detected_difference
from shiftgym.evaluation.probed import Column, columns
from shiftgym.evaluation.statistics import Floats, Interval, difference, estimate, first_reaching
from shiftgym.evaluation.summaries import Summary
from shiftgym.reports.runs import START, BranchInfo, Run

EARLY = "sft stopped early"
EARLY_MARGIN = 0.01
"""How far below RL's success at home it may stop: near the ceiling the last fractions of a point are chance."""

REINFORCEMENT = ("ppo", "grpo", "rloo")
"""Recipes that a main RL branch may have."""

Direction = Literal["rose", "fell", "mixed", "unclear"]


class View(NamedTuple):
    """One way of asking for success: how answers are drawn, and with how many attempts."""

    decoding: str
    measure: str
    label: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A branch at one checkpoint of each run."""

    name: str
    label: str
    role: str
    """`start`, `main` or `control`."""
    recipe: str
    branch: str
    fractions: tuple[float, ...]
    """The checkpoint in each run."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry minus another on one split."""

    a: Entry
    b: Entry
    split: str
    views: dict[View, Interval]

    @property
    def direction(self) -> Direction:
        signs = {interval.sign for interval in self.views.values()} - {0}
        if not signs:
            return "unclear"
        if len(signs) == 2:
            return "mixed"
        return "rose" if signs == {1} else "fell"


class Ranked(NamedTuple):
    """An entry among all, by overall success: the mean of all views."""

    entry: Entry
    away: Interval
    """Gain over the start on the shifted split."""
    home: Interval
    """Gain over the start at home."""
    place: tuple[float, float]
    """Overall success at home and on the shifted split."""
    front: bool
    """Whether nothing, the start included, is at least as good at both and better at one (Pareto)."""


class Analysis:
    """What the report says, as numbers. Seeds are clusters; backbones are clusters of seeds."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self.first = runs[0]
        self.splits = self.first.splits
        self.seed = int(self.first.study["data_seed"])

    @cached_property
    def views(self) -> list[View]:
        limit = self.first.limit
        rates = [MEASURES["success_1"], *([MEASURES["success"]] if limit > 1 else [])]
        return [
            View(decoding, measure.name, f"{decoding}, {measure.called(limit)}")
            for decoding in self.first.decodings
            for measure in rates
        ]

    @cached_property
    def several(self) -> bool:
        """Whether a problem is several decisions."""
        samples = {"sampled": self.first.samples}
        return any(of.decisions > of.problems * samples.get(of.decoding, 1) for of in self.first.summaries)

    @cached_property
    def sees(self) -> bool:
        """Whether problems are shown in pictures, so that recognition was measured."""
        return any(self.applies(MEASURES["recognised"], split) for split in self.splits)

    @cached_property
    def kinds(self) -> bool:
        """Whether decisions are of kinds that are told apart."""
        return any(of.kinds for of in self.first.summaries)

    def applies(self, measure: Measure[Diagnosed], split: str) -> bool:
        """Whether a measure applies to a split. Where a problem is one decision, or a decision one attempt, measures
        of several have values too, but say nothing of their own."""
        if measure.where == Where.REVISION:
            return self.first.limit > 1
        if measure.where == Where.SEVERAL:
            return self.several
        return any(of.means[measure.name] is not None for of in self.first.summaries if of.split == split)

    @cached_property
    def home(self) -> str | None:
        """The split of unseen problems under the trained setting; the trained problems themselves if there is none."""
        return next((split for split in ("id", "train") if split in self.splits), None)

    @property
    def shifted(self) -> list[str]:
        """The splits that differ from training in their setting."""
        return [split for split in self.splits if split not in ("train", "id")]

    @cached_property
    def entries(self) -> list[Entry]:
        """The start, main branches, early-stopped SFT, controls; only what every run has evaluated."""
        # The end of the budget, or the last checkpoint there is while a branch is going.
        ends = [
            (branch, tuple(max(run.cube.checkpoints(branch.name), default=None) for run in self.runs))
            for branch in self.first.branches
        ]
        found = [
            Entry(
                branch.name,
                branch.label,
                branch.role,
                branch.recipe,
                branch.name,
                tuple(f for f in end if f is not None),
            )
            for branch, end in ends
            if None not in end
        ]
        early = self._stopped_early(found)
        controls = [entry for entry in found if entry.role == "control"]
        return [entry for entry in found if entry.role != "control"] + ([early] if early else []) + controls

    @property
    def start(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.role == "start"), None)

    @property
    def sft(self) -> Entry | None:
        """The SFT branch that the study is about."""
        return _main(self.entries, ("sft",))

    @property
    def rl(self) -> Entry | None:
        """The RL branch that the study is about: the first of the study file."""
        return _main(self.entries, REINFORCEMENT)

    @property
    def others(self) -> list[Entry]:
        """Everything that could match the main RL branch: controls, early-stopped SFT, further RL branches."""
        return [entry for entry in self.entries if entry not in (self.start, self.sft, self.rl)]

    @property
    def comparisons(self) -> list[tuple[Entry, Entry]]:
        """SFT and RL against the start, RL against SFT, then every other entry against RL; each as (a, b) of a - b."""
        start, sft, rl = self.start, self.sft, self.rl
        pairs = [(entry, start) for entry in (sft, rl) if entry and start]
        if rl and sft:
            pairs.append((rl, sft))
        if rl:
            pairs += [(entry, rl) for entry in self.others]
        elif start:
            pairs += [(entry, start) for entry in self.others]
        return pairs

    def answers(self, entry: Entry, split: str, decoding: str, measure: str) -> Floats:
        """(clusters, problems); the clusters are the seeds of the first run, then those of the next. NaN: not done."""
        return np.concatenate(
            [
                run.cube.answers(measure, entry.branch, fraction, split, decoding)
                for run, fraction in zip(self.runs, entry.fractions, strict=True)
            ]
        )

    @property
    def backbones(self) -> list[int]:
        """The backbone of each cluster."""
        return [index for index, run in enumerate(self.runs) for _ in run.cube.seeds]

    def rate(self, entry: Entry, split: str, decoding: str, measure: str) -> Interval | None:
        """The mean of a measure, or None where it applies to no answer."""
        return self._interval(self.answers(entry, split, decoding, measure))

    def change(self, a: Entry, b: Entry, split: str, decoding: str, measure: str) -> Interval | None:
        """The measure of `a` minus that of `b` over the seeds that both have done."""
        return self._interval(self.answers(a, split, decoding, measure), self.answers(b, split, decoding, measure))

    def detected(self, a: Entry, b: Entry, split: str, decoding: str, measure: str) -> float | None:
        """The smallest difference of two entries that these runs can tell from zero, by their own spreads; None where
        the measure does not apply."""
        return detected_difference(self.answers(a, split, decoding, measure), self.answers(b, split, decoding, measure))

    def _interval(self, a: Floats, b: Floats | None = None) -> Interval | None:
        done: NDArray[np.bool_] = np.asarray(~np.isnan(a).all(axis=1))
        if b is not None:
            done = np.asarray(done & ~np.isnan(b).all(axis=1))
        if not done.any():
            return None
        backbones = [backbone for backbone, is_done in zip(self.backbones, done, strict=True) if is_done]
        if b is None:
            return estimate(a[done], backbones, seed=self.seed)
        return difference(a[done], b[done], backbones, seed=self.seed)

    def changes(self, a: Entry, b: Entry, split: str) -> Change:
        """Success of `a` minus `b` in every view."""
        found = ((view, self.change(a, b, split, view.decoding, view.measure)) for view in self.views)
        return Change(a, b, split, {view: interval for view, interval in found if interval is not None})

    def overall(self, entry: Entry, split: str) -> Floats:
        """(clusters, problems) success, the mean of all views."""
        views = [self.answers(entry, split, view.decoding, view.measure) for view in self.views]
        mean: Floats = np.mean(views, axis=0)
        return mean

    @cached_property
    def rankings(self) -> dict[str, list["Ranked"]]:
        """Of each shifted split, everything but the start by what it gained there, the most first."""
        return {split: self._ranking(split) for split in self.shifted}

    def _ranking(self, split: str) -> list["Ranked"]:
        start, home = self.start, self.home
        if start is None or home is None:
            return []
        entries = self.entries
        places = [[float(np.nanmean(self.overall(entry, each))) for each in (home, split)] for entry in entries]
        found = []
        for entry, place in zip(entries, places, strict=True):
            away, kept = (self._interval(self.overall(entry, of), self.overall(start, of)) for of in (split, home))
            if entry != start and away and kept:
                beaten = any(other != place and other[0] >= place[0] and other[1] >= place[1] for other in places)
                found.append(Ranked(entry, away, kept, (place[0], place[1]), not beaten))
        return sorted(found, key=lambda ranked: -ranked.away.value)

    def probed(self, entry: Entry, split: str) -> dict[Column, Interval | None]:
        """What was measured of memorisation and forgetting; empty if nothing was."""
        clusters = [
            [columns(row) for row in run.probes(entry.branch, fraction, split) if row["seed"] == seed]
            for run, fraction in zip(self.runs, entry.fractions, strict=True)
            for seed in run.cube.seeds
        ]
        full = max(clusters, key=len)
        nothing = [dict.fromkeys(full[0])] * len(full) if full else []
        return {
            column: self._interval(np.array([[row[column] for row in rows or nothing] for rows in clusters], float))
            for column in (full[0] if full else ())
        }

    @property
    def gapped(self) -> bool:
        """Whether problems that were trained on were played, and problems of the same kind that were not."""
        return {"train", "id"} <= set(self.splits)

    def trains(self, entry: Entry) -> bool:
        """Whether an entry is trained on the split `train`."""
        study = self.first.study
        table = study["init"] if entry.branch == START else study["branches"][entry.branch]
        return bool(table.get("train_on", "train") == "train")

    def gap(self, entry: Entry, view: View) -> Interval | None:
        """Success on problems that were trained on minus that on their like. Problem i of one is put beside problem i
        of the other, which have nothing in common, so the interval is that of two independent means."""
        trained, held_out = (self.answers(entry, split, view.decoding, view.measure) for split in ("train", "id"))
        return self._interval(trained, held_out)

    def slope(self, entry: Entry, rungs: Sequence[str], view: View) -> Interval | None:
        """Change of success from one rung of a ladder to the next, by least squares."""
        steps = np.arange(len(rungs)) - (len(rungs) - 1) / 2
        weights = steps / (steps**2).sum()
        answers = [self.answers(entry, split, view.decoding, view.measure) for split in rungs]
        return self._interval(np.tensordot(weights, np.stack(answers), axes=1))

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
        checkpoints = [_at(branch, fraction) for fraction in run.cube.checkpoints(branch.name)]
        source = self._source(branch)
        return [*([source] if source else []), *checkpoints]

    def compute(self, entry: Entry, axis: str) -> float:
        """Mean FLOPs over the seeds of a single run since the common start, those of what it started from included."""
        (run,) = self.runs
        cube = run.cube
        if entry.branch == START:
            return 0.0
        spent = cube.compute[axis][cube.branches[entry.branch], cube.fractions[entry.fractions[0]]]
        source = self._source(next(each for each in self.first.branches if each.name == entry.branch))
        return float(np.nanmean(spent)) + (self.compute(source, axis) if source else 0.0)

    def _source(self, branch: BranchInfo) -> Entry | None:
        """The checkpoint that a branch of a single run starts from; None if it is none, or was not evaluated yet."""
        (run,) = self.runs
        source = next((each for each in self.first.branches if each.name == branch.start), None)
        if source is None or branch.name == START:
            return None
        # Milestones that one step passed together share a checkpoint, named after the last of them.
        later = [fraction for fraction in run.cube.checkpoints(source.name) if fraction >= branch.start_at]
        return _at(source, later[0]) if later else None

    def _stopped_early(self, entries: Sequence[Entry]) -> Entry | None:
        """The first SFT checkpoint whose sampled one-attempt success at home came up to RL's end, in each run; None if
        that is the last one everywhere."""
        sft, rl, home = _main(entries, ("sft",)), _main(entries, REINFORCEMENT), self.home
        if sft is None or rl is None or home is None:
            return None
        decoding = "sampled" if "sampled" in self.first.decodings else self.first.decodings[0]
        stops = []
        for run, end in zip(self.runs, rl.fractions, strict=True):
            fractions = run.cube.checkpoints(sft.branch)
            curve = [run.cube.answers("success_1", sft.branch, f, home, decoding) for f in fractions]
            target = run.cube.answers("success_1", rl.branch, end, home, decoding)
            reached = first_reaching(
                [float(np.nanmean(answers)) for answers in curve], float(np.nanmean(target)) - EARLY_MARGIN
            )
            stops.append(fractions[reached])
        if tuple(stops) == sft.fractions:
            return None
        return Entry(EARLY, f"{sft.label}, stopped early", "control", "sft", sft.branch, tuple(stops))


def _main(entries: Sequence[Entry], recipes: Sequence[str]) -> Entry | None:
    return next((entry for entry in entries if entry.role == "main" and entry.recipe in recipes), None)


def _at(branch: BranchInfo, fraction: float) -> Entry:
    return Entry(branch.name, branch.label, branch.role, branch.recipe, branch.name, (fraction,))
