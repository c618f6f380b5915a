"""Claims that runs test: reproduced, not reproduced, or undecided, by interval."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shiftgym.errors import DataError
from shiftgym.evaluation.evaluate import Decoding
from shiftgym.evaluation.measures import MEASURES, MeasureName
from shiftgym.evaluation.statistics import Interval
from shiftgym.following.declaration import START
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.cautions import cautions
from shiftgym.reports.comparison import Verdict, at_least_wilson, verdict_of

Judgement = Literal["reproduced", "not reproduced", "undecided", "no data"]


class Claim(BaseModel):
    """That one branch ends above or below another, or below a bound, in one measure on one split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    """The claim, in words."""
    paper: str
    """What the paper reports, and in which figure or section."""
    study: str
    """The study that tests it."""
    a: str
    """A branch of it."""
    b: str = START
    """Another, or the common start."""
    split: str
    measure: MeasureName | None = None
    """A measure of `results.jsonl`. By default the primary measure of that split in the study."""
    expect: Literal["rise", "fall"] = "rise"
    """Whether a - b should be above or below zero."""
    below: float | None = Field(None, gt=0, lt=1)
    """Instead of a difference: the share that `a` itself stays below."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim with its result."""

    claim: Claim
    measure: str
    judgement: Judgement
    found: Interval | None = None
    """The difference, or the rate of `a` where the claim has a bound."""
    start: float | None = None
    """The measure of `b`."""
    alike: str = ""
    """What all answers of both branches were, where none differs: `both never right`."""


def hold(claim: Claim, analysis: Analysis | None, decoding: Decoding | None = None) -> Tested:
    """Test a claim in the run of its study, under `decoding` or else the primary decoding of the study.

    A branch that has not reached the end of its budget gives no data.

    Raises:
        DataError: the study has no such branch or split, or there is no such measure.
    """
    if analysis is None:
        return Tested(claim, claim.measure or "", "no data")
    measure = claim.measure or analysis.compare.primary(claim.split)
    names = {branch.name for branch in analysis.first.branches}
    for name, kind, known in (
        (claim.a, "branch", names),
        (claim.b, "branch", names),
        (claim.split, "split", analysis.splits),
        (measure, "measure", MEASURES),
    ):
        if name not in known:
            raise DataError(f"claim {claim.text!r}: the study {claim.study} has no {kind} {name!r}")
    entries = {
        entry.name: entry for entry in analysis.entries if entry.branch == START or set(entry.fractions) == {1.0}
    }
    decoding = decoding or analysis.compare.decoding
    nothing = Tested(claim, measure, "no data")
    if {claim.a, claim.b} - entries.keys() or decoding not in analysis.first.decodings:
        return nothing
    a, b = entries[claim.a], entries[claim.b]
    if claim.below is not None:
        rate = analysis.rate(a, claim.split, decoding, measure)
        if rate is None:
            return nothing
        found = at_least_wilson(rate)
        return Tested(claim, measure, _judgement(verdict_of(found, claim.below), "fell"), found)
    difference = analysis.difference(a, b, claim.split, decoding, measure)
    start = analysis.rate(b, claim.split, decoding, measure)
    if difference is None or start is None:
        return nothing
    wanted: Verdict = "rose" if claim.expect == "rise" else "fell"
    judgement = _judgement(difference.verdict, wanted)
    alike = words.compared(difference) if difference.level else ""
    return Tested(claim, measure, judgement, difference.interval, start.value, alike)


def _judgement(verdict: Verdict, wanted: Verdict) -> Judgement:
    if verdict == "undecided":
        return "undecided"
    return "reproduced" if verdict == wanted else "not reproduced"


def claims_page(
    title: str,
    claims: Sequence[Claim],
    analyses: Mapping[str, Analysis],
    command: str,
    figures: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """A page of Markdown: the verdict on every claim, and then the headline and figures of each study.

    Args:
        analyses: study -> its results, of the studies that have some.
        command: what made the runs.
        figures: study -> paths of its figures, relative to the page.
    """
    tested = [hold(claim, analyses.get(claim.study)) for claim in claims]
    counts = Counter(one.judgement for one in tested)
    lines = [
        f"# {title}",
        "",
        f"Made by `{command}`. "
        + ", ".join(f"{count} {judgement}" for judgement, count in counts.most_common())
        + f", of {len(tested)} claims. A claim is reproduced where our 95 % interval lies on the side that the paper "
        "reports, not reproduced where it lies on the other side, and undecided where it holds zero (or the bound).",
        "",
        "| claim | paper | measured | ours | 95 % interval | from | n | verdict | greedy answers |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in tested:
        greedy = hold(one.claim, analyses.get(one.claim.study), "greedy")
        lines.append(f"| {' | '.join(_cells(one, greedy))} |")
    lines += ["", NOTES, ""]
    for study, analysis in analyses.items():
        lines += [f"## {study}", "", analysis.first.study["title"], ""]
        lines += [note, ""] if (note := analysis.first.note) else []
        lines += [warning, ""] if (warning := words.unfinished(analysis)) else []
        lines += [f"{caution}\n" for caution in cautions(analysis)]
        # The rungs of a ladder are shown by its figure instead.
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
    "*Measured* names the study, branch a − branch b, the split and the measure. *Ours*: branch a minus branch b, in "
    "percentage points. *From*: the value of b, in percent. Where a claim sets a bound, *ours* is the value of branch "
    "a itself, in percent. n is seeds × problems, the same on both sides. The verdict is that of the study's primary "
    "decoding; the last column shows, as a secondary result, the same claim for greedy answers, which always "
    "take the most likely token. With one seed an interval does not say how much another seed would differ. "
    "Intervals are not corrected for the number of claims: about one in twenty misses the true value by chance."
)


def what_is_measured(one: Tested) -> str:
    """The study, its branches, the split and the measure of a claim, in one line."""
    claim = one.claim
    what = f"{claim.a} − {claim.b}" if claim.below is None else f"{claim.a} below {100 * claim.below:g} %"
    return f"{claim.study}: {what}, {claim.split}, {one.measure}"


def _cells(one: Tested, greedy: Tested) -> list[str]:
    claim, found = one.claim, one.found
    told = [claim.text, claim.paper, what_is_measured(one)]
    if found is None:
        return [*told, "", "", "", "", one.judgement, ""]
    n = f"{len(found.each) or 1} × {found.problems}"
    other = f"{value_of(greedy)} {limits_of(greedy)}: {greedy.judgement}" if greedy.found else ""
    start = "" if one.start is None else words.percent(one.start)
    return [*told, value_of(one), limits_of(one), start, n, f"**{one.judgement}**", other]


def value_of(one: Tested) -> str:
    """What was found: a difference in points, or where the claim has a bound a share in percent."""
    assert one.found is not None
    return words.signed(one.found.value) if one.claim.below is None else words.percent(one.found.value)


def limits_of(one: Tested) -> str:
    """The interval around it, or what all answers were where they are alike."""
    found = one.found
    assert found is not None
    if one.alike:
        return one.alike
    if one.claim.below is None:
        return words.limits(found)
    return f"[{words.percent(found.low)},\u00a0{words.percent(found.high)}]"
