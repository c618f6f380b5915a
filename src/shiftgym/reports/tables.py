"""The tables of the page as rows of cells: an entry, or a difference of two entries, and its numbers."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from matplotlib.ticker import EngFormatter

from shiftgym.evaluation.measures import MEASURES, Diagnosed, Measure, Where
from shiftgym.evaluation.statistics import Interval
from shiftgym.evaluation.summaries import pool, pool_success
from shiftgym.following.declaration import View
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import Difference, Verdict, verdict_of
from shiftgym.reports.entries import Entry

PREFIXED = EngFormatter(places=2, sep=" ")
"""5.5e12 as 5.50 T."""

READING = (Where.SYMBOLS, Where.OTHER_RULE, Where.PICTURES)
"""What measures of how symbols and pictures were read apply to."""


SIGNS: dict[Verdict, int] = {"rose": 1, "fell": -1, "undecided": 0}
"""Verdict -> how a cell is marked."""


class Cell(NamedTuple):
    """One number of a table."""

    text: str
    head: str
    """The head of its column."""
    small: Sequence[str] = ()
    """Its interval and other small print, one line each."""
    sign: int = 0
    """1 where the interval lies above zero, -1 where it lies below, else 0."""
    verdict: str = ""
    """The same in a word, where it is shown."""


def primary_rows(analysis: Analysis, split: str, entries: Sequence[Entry]) -> list[tuple[Entry, list[Cell]]]:
    """Entries with the primary measure of a split, and their differences to the start and the reinforced branch."""
    heads = [entry for entry in (analysis.start, analysis.reinforced) if entry]
    # The start minus the reinforced branch would repeat what stands in that branch's row.
    return [
        (entry, _primary_cells(analysis, split, entry, heads, [] if entry == analysis.start else heads))
        for entry in entries
    ]


def pair_rows(analysis: Analysis, split: str, entries: Sequence[Entry]) -> list[tuple[Entry, list[Cell]]]:
    """Entries with the primary measure of a split, and the difference of each to every entry above it."""
    return [
        (entry, _primary_cells(analysis, split, entry, entries[:-1], entries[:at])) for at, entry in enumerate(entries)
    ]


def _primary_cells(
    analysis: Analysis, split: str, entry: Entry, heads: Sequence[Entry], against: Sequence[Entry]
) -> list[Cell]:
    """The primary measure of an entry, and a column for each of `heads`, filled for those that it is compared with."""
    decoding, measure, _ = analysis.primary(split)
    cells = [_cell(MEASURES[measure], analysis.rate(entry, split, decoding, measure), "percent")]
    for other in heads:
        difference = analysis.judged(entry, other, split) if other in against and other != entry else None
        cell = _difference_cell(difference, f"minus {other.label}")
        cells.append(cell._replace(verdict=words.verdict(difference)) if difference else cell)
    return cells


def rate_rows(analysis: Analysis, split: str) -> list[tuple[Entry, list[Cell]]]:
    """Every shown entry with its secondary measures of success, and every other measure that applies, by decoding."""
    seen = {view[:2] for view in analysis.asked(split)}
    asked = [(view.decoding, MEASURES[view.measure], view.label) for view in analysis.secondary(split)]
    asked += [
        (decoding, each, f"{each.label}, {decoding}")
        for decoding in analysis.first.decodings
        for each in MEASURES.values()
        if (decoding, each.name) not in seen and analysis.applies(each, split)
    ]
    return [
        (
            entry,
            [
                _cell(measure, analysis.rate(entry, split, decoding, measure.name), head)
                for decoding, measure, head in asked
            ],
        )
        for entry in analysis.shown
    ]


def change_rows(analysis: Analysis, split: str) -> list[tuple[Entry, Entry, list[Cell]]]:
    """Every shown comparison with its paired difference in each view and, under a shift, in the use of the trained
    rule."""
    asked = list(analysis.secondary(split))
    if split in analysis.shifted:
        label = MEASURES["perseverated"].label
        asked += [View(decoding, "perseverated", f"{label}, {decoding}") for decoding in analysis.first.decodings]
    found = []
    for a, b in analysis.comparisons:
        differences = [analysis.difference(a, b, split, view.decoding, view.measure) for view in asked]
        # Of perseveration less is better, so its changes are not coloured.
        cells = [
            _difference_cell(one, view.label, coloured=view.measure != "perseverated")
            for one, view in zip(differences, asked, strict=True)
        ]
        found.append((a, b, cells))
    return found


def ranking_rows(analysis: Analysis, split: str) -> list[tuple[Entry, list[Cell]]]:
    """Every entry with its gains over the start by the primary measure, the largest gain on a shifted split first."""
    return [
        (
            ranked.entry,
            [
                _difference_cell(ranked.away, f"gain on {split}"),
                _difference_cell(ranked.home, f"gain on {analysis.home}"),
                Cell("yes" if ranked.front else "", "on the front"),
            ],
        )
        for ranked in analysis.rankings[split]
    ]


def gap_rows(analysis: Analysis) -> list[tuple[Entry, list[Cell]]]:
    """Every shown entry that learns from the trained split, with its success there minus that at home."""
    sides = (analysis.compare.train, analysis.home)
    return [
        (entry, _view_cells(analysis, entry, sides, partial(analysis.gap, entry)))
        for entry in analysis.shown
        if analysis.first.trains(entry.branch)
    ]


def slope_rows(analysis: Analysis, rungs: Sequence[str]) -> list[tuple[Entry, list[Cell]]]:
    """Every shown entry with its change of success from rung to rung."""
    return [
        (entry, _view_cells(analysis, entry, rungs, partial(analysis.slope, entry, rungs))) for entry in analysis.shown
    ]


def _view_cells(
    analysis: Analysis, entry: Entry, splits: Sequence[str], change: Callable[[View], Interval | None]
) -> list[Cell]:
    """How each view of an entry changes from split to split."""
    cells = []
    for view in analysis.asked(analysis.home):
        level = analysis.level([entry], splits, view.decoding, view.measure)
        if level:
            cells.append(Cell("0.0", view.label, [words.constant(MEASURES[level.measure], level.value)]))
        elif found := change(view):
            cells.append(Cell(words.signed(found.value), view.label, [words.limits(found)], SIGNS[verdict_of(found)]))
    return cells


def probe_rows(analysis: Analysis, split: str) -> list[tuple[Entry, list[Cell]]]:
    """Every shown entry with its measures of memorisation and forgetting."""
    found = []
    for entry in analysis.shown:
        cells = [
            _cell(column.measure, interval, column.head) for column, interval in analysis.probed(entry, split).items()
        ]
        if cells:
            found.append((entry, cells))
    return found


def compute_rows(analysis: Analysis) -> list[tuple[Entry, list[Cell]]]:
    """Every shown entry of a single run with what it has spent, counted in every way."""
    return [
        (entry, [Cell(_spent(analysis, entry, axis), name) for axis, name in analysis.first.axes.items()])
        for entry in analysis.shown
    ]


def _spent(analysis: Analysis, entry: Entry, axis: str) -> str:
    spent = analysis.compute(entry, axis)
    if not spent and entry != analysis.start:
        return "not known"
    return f"{spent:,.0f}" if axis == "step" else str(PREFIXED(spent))


def share_rows(
    analysis: Analysis, split: str, decoding: str, share: str, success: str
) -> list[tuple[Entry, list[Cell]]]:
    """Every shown entry with the share of each style of first answers (or kind of decision), and its success."""
    shares = {
        entry: (of, pool(of, share)) for entry in analysis.shown if (of := analysis.summaries(entry, split, decoding))
    }
    total: Counter[str] = Counter()
    for _, found in shares.values():
        total.update(found)
    names = [name for name, _ in total.most_common()]
    return [
        (
            entry,
            [
                Cell(
                    words.percent(found.get(name, 0.0)),
                    name,
                    [f"success {words.percent(pool_success(of, share, success, name))}"] if name in found else [],
                )
                for name in names
            ],
        )
        for entry, (of, found) in shares.items()
    ]


def _difference_cell(difference: Difference | None, head: str, *, coloured: bool = True) -> Cell:
    """A difference with its interval and the value of every seed."""
    if difference is None:
        return Cell("", head)
    found = difference.interval
    if difference.level:
        return Cell("0.0", head, [words.compared(difference)])
    small = [words.limits(found), *words.seeds(found)]
    return Cell(words.signed(found.value), head, small, SIGNS[difference.verdict] if coloured else 0)


def _cell(measure: Measure[Any], found: Interval | None, head: str) -> Cell:
    if found is None:
        return Cell("not available" if measure.where is Where.ONE_TOKENIZER else "n/a", head)
    # The bootstrap interval of answers that are all alike has no width.
    alike = found.low == found.high
    limits = f"{words.told(measure, found.low)} to {words.told(measure, found.high)}"
    return Cell(words.told(measure, found.value), head, [words.constant(measure, found.value) if alike else limits])


def reading_measures(analysis: Analysis, split: str) -> list[Measure[Diagnosed]]:
    """How symbols and pictures were read: the measures of it that apply to a split."""
    return [each for each in MEASURES.values() if each.where in READING and analysis.applies(each, split)]
