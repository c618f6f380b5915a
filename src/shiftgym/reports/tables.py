"""The tables of the page as rows of cells: an entry, or a difference of two, and its numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.ticker import EngFormatter

from shiftgym.evaluation.measures import MEASURES, Diagnosed, Measure, Where
from shiftgym.evaluation.statistics import Interval
from shiftgym.evaluation.summaries import pool, pool_success
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis, Entry, View

PREFIXED = EngFormatter(places=2, sep=" ")
"""5.5e12 as 5.50 T."""

READING = (Where.SYMBOLS, Where.OTHER_RULE, Where.PICTURES)
"""What measures of how symbols and pictures were read apply to."""


class Cell(NamedTuple):
    """One number of a table."""

    text: str
    head: str
    """What it stands under."""
    small: Sequence[str] = ()
    """Its interval and other small print, line by line."""
    sign: int = 0


def rate_rows(analysis: Analysis, split: str) -> list[tuple[Entry, list[Cell]]]:
    """Every entry with its success in each view, and then every other measure that applies, under each decoding."""
    viewed = {view.measure for view in analysis.views}
    others = [each for each in MEASURES.values() if each.name not in viewed and analysis.applies(each, split)]
    columns = [(view.decoding, MEASURES[view.measure], view.label) for view in analysis.views]
    columns += [
        (decoding, each, f"{each.label}, {decoding}") for decoding in analysis.first.decodings for each in others
    ]
    return [
        (
            entry,
            [
                _cell(measure, analysis.rate(entry, split, decoding, measure.name), head)
                for decoding, measure, head in columns
            ],
        )
        for entry in analysis.entries
    ]


def change_rows(analysis: Analysis, split: str) -> list[tuple[Entry, Entry, list[Cell]]]:
    """Every comparison with its paired difference in each view."""
    found = []
    for a, b in analysis.comparisons:
        cells = []
        for view, interval in analysis.changes(a, b, split).views.items():
            each = ", ".join(words.signed(value) for value in interval.each)
            small = [words.limits(interval)] + ([f"seeds {each}"] if len(interval.each) > 1 else [])
            cells.append(Cell(words.signed(interval.value), view.label, small, interval.sign))
        found.append((a, b, cells))
    return found


def ranking_rows(analysis: Analysis, split: str) -> list[tuple[Entry, list[Cell]]]:
    """Every entry with its overall gains over the start, the largest gain on a shifted split first."""
    return [
        (
            ranked.entry,
            [
                *(
                    Cell(words.signed(gain.value), f"gain on {of}", [words.limits(gain)], gain.sign)
                    for of, gain in ((split, ranked.away), (analysis.home, ranked.home))
                ),
                Cell("yes" if ranked.front else "", "on the front"),
            ],
        )
        for ranked in analysis.rankings[split]
    ]


def gap_rows(analysis: Analysis) -> list[tuple[Entry, list[Cell]]]:
    """Every entry that was trained on the split `train`, with its success there minus that on its like."""
    return [
        (entry, _view_cells({view: analysis.gap(entry, view) for view in analysis.views}))
        for entry in analysis.entries
        if analysis.trains(entry)
    ]


def slope_rows(analysis: Analysis, rungs: Sequence[str]) -> list[tuple[Entry, list[Cell]]]:
    """Every entry with its change of success from rung to rung."""
    return [
        (entry, _view_cells({view: analysis.slope(entry, rungs, view) for view in analysis.views}))
        for entry in analysis.entries
    ]


def _view_cells(found: Mapping[View, Interval | None]) -> list[Cell]:
    return [
        Cell(words.signed(interval.value), view.label, [words.limits(interval)], interval.sign)
        for view, interval in found.items()
        if interval
    ]


def probe_rows(analysis: Analysis, split: str) -> list[tuple[Entry, list[Cell]]]:
    """Every entry with what was measured of memorisation and forgetting."""
    found = []
    for entry in analysis.entries:
        cells = [
            _cell(column.measure, interval, column.head) for column, interval in analysis.probed(entry, split).items()
        ]
        if cells:
            found.append((entry, cells))
    return found


def compute_rows(analysis: Analysis) -> list[tuple[Entry, list[Cell]]]:
    """Every entry of a single run with what it had spent, in either way to count."""
    return [
        (entry, [Cell(PREFIXED(analysis.compute(entry, axis)), name) for axis, name in words.AXES.items()])
        for entry in analysis.entries
    ]


def share_rows(
    analysis: Analysis, split: str, decoding: str, share: str, success: str
) -> list[tuple[Entry, list[Cell]]]:
    """Every entry with the share of each style of first answers (or kind of decision), and the success within it."""
    shares = {
        entry: (of, pool(of, share)) for entry in analysis.entries if (of := analysis.summaries(entry, split, decoding))
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


def _cell(measure: Measure[Any], found: Interval | None, head: str) -> Cell:
    if found is None:
        return Cell("n/a", head)
    limits = f"{words.told(measure, found.low)} to {words.told(measure, found.high)}"
    return Cell(words.told(measure, found.value), head, [limits])


def reading_measures(analysis: Analysis, split: str) -> list[Measure[Diagnosed]]:
    """How symbols and pictures were read: the measures of it that apply to a split."""
    return [each for each in MEASURES.values() if each.where in READING and analysis.applies(each, split)]
