"""Claims about the world, held against runs: reproduced, not reproduced, or undecided, by interval."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shiftgym.errors import DataError
from shiftgym.evaluation.evaluate import Decoding
from shiftgym.evaluation.statistics import Interval
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.runs import START

Judgement = Literal["reproduced", "not reproduced", "undecided", "no data"]


class Claim(BaseModel):
    """That one branch ends above or below another in one measure on one split."""

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
    measure: str = "success"
    """A column of `results.jsonl`."""
    expect: Literal["rise", "fall"] = Field("rise")
    """Whether a - b should be above or below zero."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim with what was found."""

    claim: Claim
    judgement: Judgement
    found: Interval | None
    start: float | None
    """The measure of `b`."""
    seeds: int = 0
    problems: int = 0


def hold(claim: Claim, analysis: Analysis | None, decoding: Decoding = "sampled") -> Tested:
    """Hold a claim against the answers of the run of its study that were drawn in this way.

    Raises:
        DataError: the study has no such branch or split.
    """
    if analysis is None:
        return Tested(claim, "no data", None, None)
    names = {branch.name for branch in analysis.first.branches}
    for name, kind, known in (
        (claim.a, "branch", names),
        (claim.b, "branch", names),
        (claim.split, "split", analysis.splits),
    ):
        if name not in known:
            raise DataError(f"claim {claim.text!r}: the study {claim.study} has no {kind} {name!r}")
    entries = {entry.name: entry for entry in analysis.entries}
    if {claim.a, claim.b} - entries.keys() or decoding not in analysis.first.decodings:
        return Tested(claim, "no data", None, None)
    a, b = entries[claim.a], entries[claim.b]
    found = analysis.change(a, b, claim.split, decoding, claim.measure)
    start = analysis.rate(b, claim.split, decoding, claim.measure)
    if found is None or start is None:
        return Tested(claim, "no data", None, None)
    wanted = 1 if claim.expect == "rise" else -1
    judgement: Judgement = "undecided" if not found.sign else "reproduced" if found.sign == wanted else "not reproduced"
    return Tested(claim, judgement, found, start.value, len(found.each) or 1, found.problems)


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
        + f", of {len(tested)} claims. A claim is reproduced where the 95 % interval of our difference lies on the "
        "side that the paper reports, not reproduced where it lies on the other, undecided where it holds zero.",
        "",
        "| claim | paper | ours, points | 95 % interval | from | n | verdict | greedily |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in tested:
        claim = one.claim
        what = f"{claim.study}: {claim.a} − {claim.b} on {claim.split}, {claim.measure}"
        greedy = hold(claim, analyses.get(claim.study), "greedy")
        lines.append(
            f"| {claim.text} | {claim.paper} | "
            + (
                f"{words.signed(one.found.value)} | {words.limits(one.found)} | {words.percent(one.start)} | "
                f"{one.seeds} × {one.problems} | **{one.judgement}** | "
                if one.found
                else "| | | | no data | "
            )
            + (f"{words.change(greedy.found)}: {greedy.judgement}" if greedy.found else "")
            + f" <!-- {what} --> |"
        )
    lines += [
        "",
        "Answers are sampled as in training, but for the last column, where the likeliest token is always taken. n is "
        "seeds × problems, the same on both sides; *from* is the latter of the two, in percent.",
        "",
    ]
    for study, analysis in analyses.items():
        lines += [f"## {study}", "", analysis.first.study["title"] + ".", ""]
        lines += [f"* {words.headline(analysis, split)}. {words.match(analysis, split)}" for split in analysis.shifted]
        lines += ["", words.scope(analysis), ""]
        lines += [f"![{study}: {Path(path).stem}]({path})\n" for path in (figures or {}).get(study, ())]
    return "\n".join(lines)
