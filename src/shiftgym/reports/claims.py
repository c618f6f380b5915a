"""Claims about the world, held against runs: reproduced, not reproduced, or undecided, by interval."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shiftgym.errors import DataError
from shiftgym.evaluation.evaluate import Decoding
from shiftgym.evaluation.measures import MeasureName
from shiftgym.evaluation.statistics import Interval, wilson
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.runs import START

Judgement = Literal["reproduced", "not reproduced", "undecided", "no data"]


class Claim(BaseModel):
    """That one branch ends above or below another, or below a bound, in one measure on one split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    """The claim, in our words."""
    paper: str
    """What the paper reports, with the place."""
    study: str
    """The study that tests it."""
    a: str
    """A branch of it."""
    b: str = START
    """Another, or the common start."""
    split: str
    measure: MeasureName = "success"
    """A measure of `results.jsonl`; see `docs/measures.md`."""
    expect: Literal["rise", "fall"] = "rise"
    """Whether a - b should be above or below zero."""
    below: float | None = Field(None, gt=0, lt=1)
    """Instead of a difference: the share that `a` itself stays below."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim with what was found."""

    claim: Claim
    judgement: Judgement
    found: Interval | None = None
    """The difference, or the rate of `a` where the claim has a bound."""
    start: float | None = None
    """The measure of `b`."""


def hold(claim: Claim, analysis: Analysis | None, decoding: Decoding = "sampled") -> Tested:
    """Hold a claim against the answers of the run of its study that were drawn in this way.

    A branch that did not come to the end of its budget gives no data.

    Raises:
        DataError: the study has no such branch or split.
    """
    if analysis is None:
        return Tested(claim, "no data")
    names = {branch.name for branch in analysis.first.branches}
    for name, kind, known in (
        (claim.a, "branch", names),
        (claim.b, "branch", names),
        (claim.split, "split", analysis.splits),
    ):
        if name not in known:
            raise DataError(f"claim {claim.text!r}: the study {claim.study} has no {kind} {name!r}")
    entries = {
        entry.name: entry for entry in analysis.entries if entry.branch == START or set(entry.fractions) == {1.0}
    }
    if {claim.a, claim.b} - entries.keys() or decoding not in analysis.first.decodings:
        return Tested(claim, "no data")
    a, b = entries[claim.a], entries[claim.b]
    if claim.below is not None:
        rate = analysis.rate(a, claim.split, decoding, claim.measure)
        return Tested(claim, *_bounded(rate, claim.below)) if rate else Tested(claim, "no data")
    found = analysis.change(a, b, claim.split, decoding, claim.measure)
    start = analysis.rate(b, claim.split, decoding, claim.measure)
    if found is None or start is None:
        return Tested(claim, "no data")
    wanted = 1 if claim.expect == "rise" else -1
    judgement: Judgement = "undecided" if not found.sign else "reproduced" if found.sign == wanted else "not reproduced"
    return Tested(claim, judgement, found, start.value)


def _bounded(rate: Interval, bound: float) -> tuple[Judgement, Interval]:
    """Where all answers are wrong the bootstrap has nothing to vary, so the interval goes up to Wilson's at least."""
    trials = (len(rate.each) or 1) * rate.problems
    found = replace(rate, high=max(rate.high, wilson(round(rate.value * trials), trials).high))
    return ("reproduced" if found.high < bound else "not reproduced" if found.low > bound else "undecided"), found


def claims_page(
    title: str,
    claims: Sequence[Claim],
    analyses: Mapping[str, Analysis],
    command: str,
    figures: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """A page of Markdown: the verdict on every claim, and below, what each study found in words and pictures.

    Args:
        analyses: study -> its results, of the studies that have some.
        command: what made the runs.
        figures: study -> paths of its figures, from where the page will stand.
    """
    tested = [hold(claim, analyses.get(claim.study)) for claim in claims]
    counts = Counter(one.judgement for one in tested)
    lines = [
        f"# {title}",
        "",
        f"Made by `{command}`. "
        + ", ".join(f"{count} {judgement}" for judgement, count in counts.most_common())
        + f", of {len(tested)} claims. A claim is reproduced where our 95 % interval lies on the side that the paper "
        "reports, not reproduced where it lies on the other, undecided where it holds zero (or the bound).",
        "",
        "| claim | paper | measured | ours | 95 % interval | from | n | verdict | greedily |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in tested:
        greedy = hold(one.claim, analyses.get(one.claim.study), "greedy")
        lines.append(f"| {' | '.join(_cells(one, greedy))} |")
    lines += ["", NOTES, ""]
    for study, analysis in analyses.items():
        lines += [f"## {study}", "", analysis.first.study["title"], ""]
        lines += [warning, ""] if (warning := words.unfinished(analysis)) else []
        # Of the rungs of a ladder the figure says more than a sentence each.
        rungs = {split for ladder in analysis.first.ladders.values() for split in ladder}
        lines += [
            f"* {words.headline(analysis, split)}. {words.match(analysis, split)}"
            for split in analysis.shifted
            if split not in rungs
        ]
        lines += ["", words.scope(analysis), ""]
        lines += [f"![{study}: {Path(path).stem}]({path})\n" for path in (figures or {}).get(study, ())]
    return "\n".join(lines)


NOTES = (
    "*Measured* names the study, the difference of two branches, the split and the measure; *ours* is that difference "
    "in points and *from* the value of the latter branch in percent (of a claim with a bound, *ours* is the branch's "
    "own value in percent). n is seeds × problems, the same on both sides. Answers are sampled as in training, but for "
    "the last column, where the likeliest token is always taken. With one seed an interval does not say how much "
    "another seed would differ. Intervals are not corrected for their number: of twenty, one misses by chance."
)


def _cells(one: Tested, greedy: Tested) -> list[str]:
    claim, found = one.claim, one.found
    what = f"{claim.a} − {claim.b}" if claim.below is None else f"{claim.a} below {100 * claim.below:g} %"
    told = [claim.text, claim.paper, f"{claim.study}: {what}, {claim.split}, {claim.measure}"]
    if found is None:
        return [*told, "", "", "", "", one.judgement, ""]
    n = f"{len(found.each) or 1} × {found.problems}"
    other = f"{_value(greedy)} {_limits(greedy)}: {greedy.judgement}" if greedy.found else ""
    start = "" if one.start is None else words.percent(one.start)
    return [*told, _value(one), _limits(one), start, n, f"**{one.judgement}**", other]


def _value(one: Tested) -> str:
    assert one.found is not None
    return words.signed(one.found.value) if one.claim.below is None else words.percent(one.found.value)


def _limits(one: Tested) -> str:
    found = one.found
    assert found is not None
    if one.claim.below is None:
        return words.limits(found)
    return f"[{words.percent(found.low)},\u00a0{words.percent(found.high)}]"
