"""What a reader has to know before the numbers: splits on which nothing was right, answers that were never given, and
branches that had nothing to learn from."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.summaries import Summary, pool
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import MANY

NOTICEABLE = 0.05
"""From this share of answers on it is told that they were cut off, empty or too long, or what was wrong with them."""

ENDS = ("cut", "empty", "too_long")
"""Measures of how answers ended."""

LISTED = 4
"""So many places are named in one line."""


def cautions(analysis: Analysis) -> list[str]:
    """Of a report: a line for each thing that is amiss, the gravest first."""
    first = analysis.first
    nothing = never_right([of for run in analysis.runs for of in run.summaries])
    places = {
        f"{entry.label} on {split}, {decoding}": analysis.summaries(entry, split, decoding)
        for entry in analysis.entries
        for split in analysis.splits
        for decoding in first.decodings
    }
    idle = [
        f"{title}{f' ({run.backbone})' if len(analysis.runs) > 1 else ''}: {what}."
        for run in analysis.runs
        for title, what in run.idle.items()
    ]
    if len(idle) > MANY:
        idle[LISTED:] = [f"{len(idle) - LISTED:,} more branches had nothing to learn from in many of their steps."]
    return [*([nothing] if nothing else []), *unanswered(places, first.max_new_tokens), *idle]


def never_right(summaries: Sequence[Summary]) -> str | None:
    """The splits on which no answer was ever right, and what the answers there were instead; None if there are none."""
    splits = list(dict.fromkeys(of.split for of in summaries))
    wrong = [split for split in splits if not any(of.means["success"] for of in summaries if of.split == split)]
    if not wrong:
        return None
    there = [of for of in summaries if of.split in wrong]
    outcomes = sorted(pool(there, "first").items(), key=lambda item: -item[1])
    ended = [(MEASURES[name].label, _share(there, name)) for name in ENDS]
    told = [
        f" Of {which} there, {words.join(found)}."
        for which, shares in (("the first answers", outcomes), ("all answers", ended))
        if (found := [f"{_percent(of)} were {name.replace('_', ' ')}" for name, of in shares if of >= NOTICEABLE])
    ]
    where = "on any split" if len(wrong) == len(splits) > 1 else f"on {words.join(wrong)}"
    return f"No answer was ever right {where}.{''.join(told)}"


def unanswered(places: Mapping[str, Sequence[Summary]], longest: int, least: float = NOTICEABLE) -> list[str]:
    """A line for each way in which answers were not given in full, with the setting to change.

    Args:
        places: what answered where, as in `SFT on id, sampled` -> its results.
        longest: `evaluation.max_new_tokens`.
        least: places with a smaller share of such answers, or with none, are left out.
    """
    setting = f"evaluation.max_new_tokens (now {longest})"
    cut = {place: _share(of, "cut") for place, of in places.items()}
    too_long = {place: _share(of, "too_long") for place, of in places.items()}
    # What is too long for the model is empty as well, and has a line of its own.
    empty = {place: _share(of, "empty") - too_long[place] for place, of in places.items()}
    lines = (
        (cut, f"Answers were cut off: {{}}. Raise {setting}."),
        (
            empty,
            f"Answers were empty: {{}}. If they were cut off too, as thinking may be, raise {setting}; else the model "
            "ended them at once.",
        ),
        (
            too_long,
            "Conversations did not fit into the model's context, so answers are missing: {}. Lower task.limit or "
            f"{setting}, or take a model with a longer context.",
        ),
    )
    return [line.format(told) for shares, line in lines if (told := _places(shares, least))]


def _places(shares: Mapping[str, float], least: float) -> str:
    """`95.0 % of start on id, sampled; 12.0 % of SFT on id, sampled`, the largest first."""
    found = sorted(((of, place) for place, of in shares.items() if of and of >= least), key=lambda one: -one[0])
    told = [f"{_percent(share)} of {place}" for share, place in found[:LISTED]]
    if len(found) > LISTED:
        everywhere = ", and not less than " + _percent(found[-1][0]) + " anywhere"
        told.append(f"and {len(found) - LISTED} more{everywhere if len(found) == len(shares) else ''}")
    return "; ".join(told)


def _percent(share: float) -> str:
    return f"{words.percent(share)} %"


def _share(summaries: Sequence[Summary], measure: str) -> float:
    """The mean of a measure over evaluations; 0 where it was not recorded."""
    known = [value for of in summaries if (value := of.means[measure]) is not None]
    return fmean(known) if known else 0.0
