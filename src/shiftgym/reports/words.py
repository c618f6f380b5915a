"""Sentences about a run, chosen by intervals: a change is stated only where its interval excludes zero."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shiftgym.evaluation.measures import MEASURES, Measure
from shiftgym.evaluation.power import PLANNED, POWER, detectable_difference
from shiftgym.evaluation.statistics import Interval
from shiftgym.reports.comparison import MANY, Comparison, Condition, Difference, Effect, Level
from shiftgym.reports.entries import EARLY
from shiftgym.reports.runs import LoadedComparison

if TYPE_CHECKING:
    from shiftgym.reports.analysis import Analysis

SEEDS = 10
"""Of more seeds than this the values are not told one by one."""

LISTED = 6
"""Of things that are too many to be told one by one, so many are."""

RIGHT = {"success_1": "first answer", "success": "answer", "whole": "whole problem"}
"""Measure -> what was never right where its value is always 0."""


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


def constant(measure: Measure[Any], value: float) -> str:
    """A value that a measure has in every answer: `never right`, `always 2.50`"""
    if measure.name in RIGHT and value in (0, 1):
        return "always right" if value else "never right"
    return f"always {with_unit(measure, value)}"


def with_unit(measure: Measure[Any], value: float) -> str:
    """`12.0 %`, `2.50`"""
    return f"{told(measure, value)}{' %' if measure.share else ''}"


def compared(difference: Difference) -> str:
    """A difference with its interval; where no answer differs, what all of them are: `both never right`"""
    level = difference.level
    return f"both {constant(MEASURES[level.measure], level.value)}" if level else change(difference.interval)


def seeds(difference: Interval) -> list[str]:
    """The difference of every seed, or of many seeds the least and the greatest; none of one seed."""
    told = [signed(value) for value in sorted(difference.each)]
    if len(told) > SEEDS:
        return [f"{len(told)} seeds from {told[0]} to {told[-1]}"]
    return [f"seeds {', '.join(signed(value) for value in difference.each)}"] if len(told) > 1 else []


def limits(interval: Interval) -> str:
    """The interval of a difference, in points, on one line."""
    return f"[{signed(interval.low)},\u00a0{signed(interval.high)}]"


def primary(analysis: Comparison, split: str) -> str:
    """The primary measure of a split."""
    return analysis.first.primary(split).label


def sampled(shown: int, left_out: int) -> str:
    """Which episodes a page carries."""
    more = (
        f"; {left_out:,} more were kept by the run and left out here for size, whole problems of the last seeds first"
    )
    told = f"{shown:,} episodes of the first problems of each split{more if left_out else ''}"
    return f"{told}. They are a fixed sample, chosen before they were run."


def headline(analysis: Comparison, split: str) -> str:
    """How the branches that the study is about changed on a shifted split, by the primary measure alone."""
    effect = analysis.effect(split)
    what = f"in {primary(analysis, split)}"
    moves = [condition.difference for condition in effect.conditions if condition.difference.b == analysis.start]
    if not moves:
        return f"Nothing to compare on {split} yet: the start and a branch that the study is about are needed"
    first, *second = moves
    if effect.level:
        names = join([first.b.label, *(move.a.label for move in moves)])
        told = _nothing_differs(effect.level, names, f"on {split}", analysis.compare.decoding)
        return f"{told}, so they cannot be told apart by {primary(analysis, split)}"
    if not second:
        return f"On {split}, {first.a.label} {moved(first)} {what}"
    (other,) = second
    outcome = f"on {split}, {first.a.label} {moved(first)} and {other.a.label} {moved(other)} {what}"
    ruling = "Undecided" if effect.verdict == "undecided" else f"The effect {effect.verdict}"
    return f"{ruling}: {outcome}{_remainder(effect)}"


def _nothing_differs(of: Level, names: str, where: str, decoding: str) -> str:
    """`No sampled answer of start, SFT and PPO was right on id`"""
    if of.measure in RIGHT and of.value == 0:
        return f"No {decoding} {RIGHT[of.measure]} of {names} was right {where}"
    return f"{names[0].upper()}{names[1:]} are {constant(MEASURES[of.measure], of.value)} {where}"


def moved(difference: Difference) -> str:
    """How an entry changed, as in `rose by 9.4 points [3.1, 16.4]`."""
    found = difference.interval
    if difference.level:
        return f"stayed at {with_unit(MEASURES[difference.level.measure], difference.level.value)}"
    if difference.verdict == "undecided":
        return f"changed by {signed(found.value)} points {limits(found)}"
    return f"{difference.verdict} by {_size(found)}"


def _size(interval: Interval) -> str:
    """A difference without its sign: `9.4 points [3.1, 16.4]`"""
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return f"{percent(abs(interval.value))} points [{percent(low)},\u00a0{percent(high)}]"


def _apart(difference: Difference) -> str:
    """`9.4 points [3.1, 16.4] above`"""
    return f"{_size(difference.interval)} {'above' if difference.verdict == 'rose' else 'below'}"


def _remainder(effect: Effect) -> str:
    """The rest of a headline: which branch ended above the other, or which conditions are undecided."""
    gap = effect.conditions[-1].difference
    if effect.verdict == "did not appear" and gap.verdict != "undecided":
        return f"; {gap.a.label} ended {_apart(gap)} {gap.b.label}"
    undecided = [stated(condition) for condition in effect.conditions if condition.state == "undecided"]
    return f"; it is undecided whether {join(undecided)}" if effect.verdict == "undecided" and undecided else ""


def verdict(difference: Difference) -> str:
    """A branch rose or fell from the start; beside another branch it ended above or below. Where all answers are alike,
    there is none."""
    if difference.level:
        return ""
    said = difference.verdict
    return said if difference.b.part == "start" else {"rose": "above", "fell": "below"}.get(said, said)


def setting(analysis: Comparison, split: str) -> str:
    """What a split is in the comparison, as in `id (at home)`."""
    compare = analysis.compare
    known = dict.fromkeys(compare.shifted, "shifted") | {compare.train: analysis.first.train, compare.home: "at home"}
    return f"{split} ({known[split]})" if split in known else split


def stated(condition: Condition) -> str:
    """`SFT fell`, `PPO ended above SFT`"""
    a, b = condition.difference.a, condition.difference.b
    return f"{a.label} {condition.wanted}" if b.part == "start" else f"{a.label} ended above {b.label}"


def join(parts: Sequence[str]) -> str:
    """`a, b and c`"""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def match(analysis: Comparison, split: str) -> str:
    """Everything that ties with or beats the reinforced branch on a split by the primary measure."""
    reinforced = analysis.reinforced
    if reinforced is None:
        return "There is no reinforced branch to compare the others with."
    if not analysis.others:
        return f"There is no control or further branch to compare with {reinforced.label}."
    rivals = analysis.rivals(split)
    if not rivals:
        return f"By this measure nothing else ties with or beats {reinforced.label} there, controls included."
    left_out = len(rivals) - LISTED if len(rivals) > MANY else 0
    if left_out:
        rivals = sorted(rivals, key=lambda one: -one.interval.value)[:LISTED]
    named = [
        f"{one.a.label} ({'ties: ' + compared(one) if one.verdict == 'undecided' else _apart(one) + ' it'})"
        for one in rivals
    ]
    if left_out:
        named.append(f"and {left_out:,} more")
    return f"What ties with or beats {reinforced.label} there by this measure: {'; '.join(named)}."


def stopped_early(analysis: Comparison) -> str | None:
    """Which supervised checkpoint stands for stopping early, and why."""
    entry = next((entry for entry in analysis.entries if entry.name == EARLY), None)
    if entry is None or analysis.reinforced is None:
        return None
    where = [
        f"{100 * fraction:g} % of the budget on {run.backbone}"
        for run, fraction in zip(analysis.runs, entry.fractions, strict=True)
    ]
    home = analysis.compare.home
    return (
        f"“{entry.label}” is the first checkpoint of that branch whose {primary(analysis, home)}, on {home} is at most "
        f"one point below that of {analysis.reinforced.label} at its end, or the best checkpoint if none is: "
        f"{', '.join(where)}. It is chosen on the problems that it is then reported on, which favours it slightly."
    )


def unfinished(analysis: Comparison) -> str | None:
    """A warning if some evaluation at the end of the budget is missing."""
    missing = [
        f"{what} ({run.backbone})" if len(analysis.runs) > 1 else what
        for run in analysis.runs
        for what in run.unfinished
    ]
    if not missing:
        return None
    rest = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
    shown = ", ".join(missing[:LISTED]) + rest
    return (
        f"This run is unfinished. Not evaluated at the end of the budget: {shown}. "
        "Each branch is shown at the last checkpoint it has reached, so branches may differ in compute."
    )


def shown(analysis: "Analysis") -> str | None:
    """Which branches have no room in figures and tables; None if all have."""
    if not analysis.hidden:
        return None
    run, split = analysis.first, analysis.judged_first[0]
    return (
        f"There are {len(run.branches) - 1:,} {run.nouns} beside {run.beginning}. Figures, secondary tables and "
        f"episodes show {len(analysis.drawn) - 1}: those that the study is about, then controls, then others, the best "
        f"first by {primary(analysis, split)}, on {split}. These are chosen on the problems that they are reported on, "
        "so a part of their lead is chance. results.jsonl has the rows of all."
    )


def scope(analysis: Comparison) -> str:
    """How much evidence there is."""
    if isinstance(analysis.first, LoadedComparison):
        return (
            f"{count(analysis.first.problems, 'problem')} a split, the same for every model, with "
            f"{count(analysis.first.samples, 'answer')} a problem where answers are sampled."
        )
    seeds = len(analysis.first.seeds)
    backbones = len(analysis.runs)
    names = " and ".join(run.backbone for run in analysis.runs)
    return (
        f"{backbones} {'backbone' if backbones == 1 else 'backbones'} ({names}), "
        f"{seeds} {'seed' if seeds == 1 else 'seeds'} of post-training{' each' if backbones > 1 else ''}, "
        f"{analysis.first.problems} problems a split, the same for every checkpoint, branch and seed."
    )


def planned_power(seeds: int, problems: int, samples: int) -> str:
    """The smallest difference that a study can detect, before it runs, with the spreads that are assumed."""
    smallest = detectable_difference(seeds, problems, samples)
    return (
        f"With {count(seeds, 'seed')}, {count(problems, 'problem')} a split and {count(samples, 'answer')} a problem, "
        f"the smallest true difference that can be detected is {100 * smallest:.1f} points ({100 * POWER:.0f} % "
        f"power). This assumes that differences have a standard deviation of {100 * PLANNED.seeds:g} points between "
        f"seeds and {100 * PLANNED.problems:g} between problems, and that answers have the largest possible noise; see "
        "docs/measures.md."
    )


def measured_power(analysis: "Analysis", split: str) -> str | None:
    """The smallest difference that a run can detect in the primary measure of a split, by the spreads in its own rows;
    None where nothing is compared."""
    decoding, measure, _ = analysis.primary(split)
    # Answers that are all alike have no spread to go by.
    pairs = [(a, b) for a, b in analysis.comparisons if not analysis.level([a, b], [split], decoding, measure)]
    found = [analysis.detected(a, b, split) for a, b in pairs]
    known = [100 * value for value in found if value is not None]
    if not known:
        return None
    least, most = (f"{value:.1f}" for value in (min(known), max(known)))
    points = least if least == most else f"{least} to {most}"
    return (
        f"By the spreads in its own rows, the smallest true difference that the run on {analysis.first.backbone} can "
        f"detect on {split} is {points} points{'' if least == most else ', depending on the comparison'} "
        f"({primary(analysis, split)}; {100 * POWER:.0f} % power)."
    )


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
