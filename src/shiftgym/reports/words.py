"""Sentences about a run, chosen by intervals: nothing is said to have changed unless its interval leaves out zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shiftgym.evaluation.measures import MEASURES, Measure
from shiftgym.evaluation.power import PLANNED, POWER, detectable_difference
from shiftgym.evaluation.statistics import Interval
from shiftgym.reports.analysis import EARLY, Analysis, Direction, Entry

AXES = {"flops": "FLOPs as executed", "flops_paper": "FLOPs by the paper's formula"}
"""What the ways to count compute are called."""

CLAUSES: dict[Direction, str] = {
    "rose": "rose",
    "fell": "fell",
    "mixed": "rose by some measures and fell by others",
    "unclear": "showed no clear change",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of a finding."""

    label: str
    text: str
    sign: int
    """1 or -1 where the interval lies on one side of zero, else 0."""
    good: bool = True
    """Whether more of it is better."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison of the summary."""

    subject: str
    lines: Sequence[Line]


def percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"


def told(measure: Measure[Any], value: float | None) -> str:
    """A value of a measure: a share in percent, else a number."""
    if value is None or measure.share:
        return percent(value)
    return f"{value:.{2 if abs(value) < 10 else 1}f}".replace("-", "−")


def signed(value: float) -> str:
    """A difference of rates in points, with a typographic sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def change(interval: Interval) -> str:
    """A difference with its interval, in points."""
    return f"{signed(interval.value)} [{signed(interval.low)}, {signed(interval.high)}]"


def limits(interval: Interval) -> str:
    """The interval of a difference, in points, on one line."""
    return f"[{signed(interval.low)},\u00a0{signed(interval.high)}]"


def headline(analysis: Analysis, split: str) -> str:
    """Whether SFT lost and RL gained on a shifted split, in one sentence."""
    start, sft, rl = analysis.start, analysis.sft, analysis.rl
    either = rl or sft
    if start is None or either is None:
        return "Nothing to compare yet: the start and a main branch are needed"
    if sft is None or rl is None:
        return f"On {split}, {either.label} {CLAUSES[analysis.changes(either, start, split).direction]}"
    of_sft = analysis.changes(sft, start, split).direction
    of_rl = analysis.changes(rl, start, split).direction
    gap = analysis.changes(rl, sft, split).direction
    if of_sft == "fell" and of_rl == "rose" and gap == "rose":
        verdict = "The effect appeared"
    elif of_sft == "rose" or of_rl == "fell" or gap == "fell":
        verdict = "The effect did not appear"
    elif gap == "rose" and (of_sft == "fell" or of_rl == "rose"):
        verdict = "Half of the effect appeared"
    else:
        verdict = "Undecided"
    if of_sft == of_rl:
        outcome = f"{sft.label} and {rl.label} both {CLAUSES[of_rl]}"
        if gap in ("rose", "fell"):
            outcome += f", and {(rl if gap == 'rose' else sft).label} ended higher"
    else:
        outcome = f"{sft.label} {CLAUSES[of_sft]} and {rl.label} {CLAUSES[of_rl]}"
    return f"{verdict}: on {split}, {outcome}"


def match(analysis: Analysis, split: str) -> str:
    """Every control or further branch that ties with or beats the main RL branch on a split in at least one view."""
    rl = analysis.rl
    if rl is None or not analysis.others:
        return "The study has no controls to hold against a main RL branch."
    named = []
    for other in analysis.others:
        signs = [interval.sign for interval in analysis.changes(other, rl, split).views.values()]
        parts = [
            f"{verb} in {signs.count(sign)} of {len(signs)}"
            for verb, sign in (("beats it", 1), ("ties", 0))
            if sign in signs
        ]
        if parts:
            named.append(f"{other.label} ({', '.join(parts)} measures)")
    if not named:
        return f"Nothing else ties with or beats {rl.label} there by any measure, controls included."
    return f"What ties with or beats {rl.label} there: {'; '.join(named)}."


def findings(analysis: Analysis, split: str) -> list[Finding]:
    """What stands under the headline for one shifted split: success there and at home, and use of the trained rule."""
    start, sft, rl, home = analysis.start, analysis.sft, analysis.rl, analysis.home
    pairs = [(a, b) for a, b in ((sft, start), (rl, start), (rl, sft)) if a and b]
    found = [_success(analysis, a, b, split) for a, b in pairs]
    from_start = [(a, b) for a, b in pairs if b == start]
    found.append(Finding(f"Trained rule used on {split}", _trained_rule(analysis, from_start, split)))
    found += [_success(analysis, a, b, home) for a, b in from_start if home]
    return [finding for finding in found if finding.lines]


def stopped_early(analysis: Analysis) -> str | None:
    """Which SFT checkpoint stands for stopping early, and why."""
    entry = next((entry for entry in analysis.entries if entry.name == EARLY), None)
    if entry is None or analysis.rl is None:
        return None
    where = [
        f"{100 * fraction:g} % of the budget on {run.backbone}"
        for run, fraction in zip(analysis.runs, entry.fractions, strict=True)
    ]
    return (
        f"“{entry.label}” is the first checkpoint of that branch whose one-attempt success on {analysis.home} "
        f"({'sampled' if 'sampled' in analysis.first.decodings else analysis.first.decodings[0]}) is at most one point "
        f"below that of {analysis.rl.label} at its end, or its best one if all are: {', '.join(where)}. "
        "It is chosen on the problems it is then reported on, which flatters it slightly."
    )


def unfinished(analysis: Analysis) -> str | None:
    """A warning if some evaluation at the end of the budget is missing."""
    missing = [
        f"{what} ({run.backbone})" if len(analysis.runs) > 1 else what
        for run in analysis.runs
        for what in run.unfinished
    ]
    if not missing:
        return None
    shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
    return (
        f"This run is unfinished. Not evaluated at the end of the budget: {shown}. "
        "Each branch is shown at the last checkpoint it has reached, so branches may differ in compute."
    )


def scope(analysis: Analysis) -> str:
    """How much evidence there is."""
    seeds = len(analysis.first.seeds)
    backbones = len(analysis.runs)
    names = " and ".join(run.backbone for run in analysis.runs)
    return (
        f"{backbones} {'backbone' if backbones == 1 else 'backbones'} ({names}), "
        f"{seeds} {'seed' if seeds == 1 else 'seeds'} of post-training{' each' if backbones > 1 else ''}, "
        f"{analysis.first.problems} problems a split, the same for every checkpoint, branch and seed."
    )


def planned_power(seeds: int, problems: int, samples: int) -> str:
    """What a study can tell from zero, before it runs, by the spreads that are assumed."""
    smallest = detectable_difference(seeds, problems, samples)
    return (
        f"With {count(seeds, 'seed')}, {count(problems, 'problem')} a split and {count(samples, 'answer')} a problem, "
        f"a true difference of at least {100 * smallest:.1f} points can be told from zero "
        f"({100 * POWER:.0f} % power), assuming that differences spread by {100 * PLANNED.seeds:g} points between "
        f"seeds and {100 * PLANNED.problems:g} between problems and that answers are as noisy as "
        "can be; see docs/measures.md."
    )


def measured_power(analysis: Analysis, split: str, decoding: str, measure: str) -> str | None:
    """What a run can tell from zero, by the spreads in its own rows; None where nothing is compared."""
    found = [analysis.detected(a, b, split, decoding, measure) for a, b in analysis.comparisons]
    known = [100 * value for value in found if value is not None]
    if not known:
        return None
    least, most = (f"{value:.1f}" for value in (min(known), max(known)))
    points = least if least == most else f"{least} to {most}"
    label = MEASURES[measure].called(analysis.first.limit)
    return (
        f"By the spreads in its own rows, the run on {analysis.first.backbone} can tell a true difference of {points} "
        f"points{'' if least == most else ', depending on the comparison,'} from zero on {split} "
        f"({label}, {decoding}; {100 * POWER:.0f} % power)."
    )


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _success(analysis: Analysis, a: Entry, b: Entry, split: str) -> Finding:
    views = analysis.changes(a, b, split).views
    lines = [Line(view.label, change(interval), interval.sign) for view, interval in views.items()]
    return Finding(f"{a.label} − {b.label} on {split}", lines)


def _trained_rule(analysis: Analysis, pairs: Sequence[tuple[Entry, Entry]], split: str) -> list[Line]:
    found, measure = [], MEASURES["perseverated"]
    for a, b in pairs:
        for decoding in analysis.first.decodings:
            interval = analysis.change(a, b, split, decoding, measure.name)
            if interval:
                label = f"{a.label} − {b.label}, {decoding}"
                found.append(Line(label, change(interval), interval.sign, good=measure.better > 0))
    return found
