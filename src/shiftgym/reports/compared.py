"""The result of a comparison of checkpoints for a terminal of 80 columns."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import Entry
from shiftgym.reports.judgement import SCOPE, judge, judged_entries
from shiftgym.reports.runs import load_run

SECONDARY = "Secondary measures, in percent. No verdict depends on them"


def comparison_table(folder: Path) -> Group:
    """The verdict on every candidate and split, the primary measure and the differences; a rich renderable."""
    analysis = Analysis([load_run(folder)])
    judged = [
        (entry, split, found)
        for split in analysis.shifted
        for entry in judged_entries(analysis.first)
        if (found := judge(analysis, entry, split))
    ]
    parts: list[Any] = [Text(f"{entry.label}, {split}: {found.sentence}.\n") for entry, split, found in judged]
    parts += [_primary(analysis, split) for split in analysis.judged_first]
    parts.append(_secondary(analysis))
    parts += [_probes(analysis, split) for split in analysis.first.probed]
    return Group(*parts, Text(SCOPE), "", words.scope(analysis))


def _primary(analysis: Analysis, split: str) -> Table:
    """One split: the primary measure of every model, and its difference to BASE and to the other candidates."""
    candidates = judged_entries(analysis.first)
    against = [entry for entry in (analysis.start, *candidates[:-1]) if entry]
    view = analysis.primary(split)
    title = f"{words.setting(analysis, split)}: {view.label}"
    table = Table("model", "percent", title=title, box=SIMPLE_HEAD, pad_edge=False)
    for other in against:
        table.add_column(Text(f"minus {other.label}"))
    for at, entry in enumerate([entry for entry in (analysis.start, *candidates) if entry]):
        rate = analysis.rate(entry, split, view.decoding, view.measure)
        cells = [_difference(analysis, entry, other, split) for other in against[:at]]
        limits = f"{words.percent(rate.low)} to {words.percent(rate.high)}" if rate else ""
        table.add_row(Text(entry.label), f"{words.percent(rate.value if rate else None)}\n{limits}", *cells)
    return table


def _difference(analysis: Analysis, a: Entry, b: Entry, split: str) -> str:
    found = analysis.judged(a, b, split)
    return (
        f"{words.signed(found.interval.value)} {words.verdict(found)}\n{words.limits(found.interval)}" if found else ""
    )


def _secondary(analysis: Analysis) -> Table:
    """What helps to understand a verdict: use of the trained rule under a shift, validity, and the gap to what was
    trained on."""
    decoding = analysis.compare.decoding
    asked = [(f"{split}: trained\nrule used", split, "perseverated") for split in analysis.shifted]
    asked += [(f"{split}: valid", split, "valid") for split in (analysis.home, *analysis.shifted)]
    table = Table(
        "model", *[head for head, *_ in asked], title="Secondary, in percent", box=SIMPLE_HEAD, pad_edge=False
    )
    if analysis.gapped:
        table.add_column(f"{analysis.compare.train} - {analysis.home}")
    for entry in analysis.entries:
        rates = [analysis.rate(entry, split, decoding, measure) for _, split, measure in asked]
        cells = [words.percent(rate.value if rate else None) for rate in rates]
        if analysis.gapped:
            gap = analysis.gap(entry, analysis.primary(analysis.home))
            cells.append(words.change(gap) if gap else "")
        table.add_row(Text(entry.label), *cells)
    return table


def _probes(analysis: Analysis, split: str) -> Table:
    """Memorisation and forgetting on one split, one measure a row."""
    entries = analysis.entries
    table = Table(
        "", *[entry.label for entry in entries], title=f"{split}: memorisation and forgetting", box=SIMPLE_HEAD
    )
    probed = [analysis.probed(entry, split) for entry in entries]
    for column in next((found for found in reversed(probed) if found), {}):
        table.add_row(
            column.head,
            *[
                words.told(column.measure, one.value) if (one := found.get(column)) else "not available"
                for found in probed
            ],
        )
    return table
