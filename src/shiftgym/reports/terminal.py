"""The result of a run for a terminal of 80 columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from shiftgym.evaluation.statistics import Interval
from shiftgym.reports import tables, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.cautions import cautions
from shiftgym.reports.entries import Entry
from shiftgym.reports.judgement import SCOPE, judge_all, judged_entries, template_warning
from shiftgym.reports.load import load_runs
from shiftgym.reports.runs import LoadedComparison

Rows = Sequence[tuple[Entry, Sequence[tables.Cell]]]


def result_table(run_folder: Path, others: Sequence[Path] = ()) -> Group:
    """What a study or a comparison of checkpoints found: the verdicts, the primary measure and the secondary ones.

    Args:
        run_folder: a run folder, finished or not.
        others: runs of the same study on other backbones, pooled with it.

    Raises:
        DataError: a folder is no run folder or holds a broken file, or the runs cannot be pooled.
    """
    return summary(Analysis(load_runs([run_folder, *others])))


def summary(analysis: Analysis) -> Group:
    """The same of runs that are read already."""
    warnings = [
        words.unfinished(analysis),
        *cautions(analysis),
        template_warning(analysis.first),
        *analysis.first.failures,
    ]
    parts: list[Any] = [Text(f"{warning}\n") for warning in warnings if warning]
    parts += _comparison(analysis) if isinstance(analysis.first, LoadedComparison) else _study(analysis)
    shown = words.shown(analysis)
    return Group(*parts, *([Text(f"{shown}\n")] if shown else []), words.scope(analysis))


def _study(analysis: Analysis) -> list[Any]:
    parts: list[Any] = [
        Text(f"{words.headline(analysis, split)}.\n{words.match(analysis, split)}\n") for split in analysis.shifted
    ]
    parts += [
        _primary(analysis, split, tables.primary_rows(analysis, split, analysis.shown))
        for split in analysis.judged_first
    ]
    parts += ["Secondary measures, in percent. No verdict above depends on them:", ""]
    return parts + [_secondary(analysis, split) for split in analysis.judged_first]


def _comparison(analysis: Analysis) -> list[Any]:
    parts: list[Any] = [
        Text(f"{entry.label}, {split}: {found.sentence}." + (f" {found.against}." if found.against else "") + "\n")
        for entry in judged_entries(analysis.first)
        for split, found in judge_all(analysis, entry).items()
    ]
    parts += [_pairs(analysis, split) for split in analysis.judged_first]
    parts += ["Secondary measures, in percent. No verdict above depends on them:", ""]
    parts += [_understanding(analysis, split) for split in analysis.judged_first]
    if analysis.first.ladders:
        parts.append(_ladders(analysis))
    return [*parts, *(_probes(analysis, split) for split in analysis.first.probed), Text(SCOPE), ""]


def _table(title: str, *heads: str) -> Table:
    """A table whose heads and cells break rather than lose letters."""
    table = Table(title=Text(title), box=SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    return table


def _primary(analysis: Analysis, split: str, rows: Rows) -> Table:
    heads = [cell.head for cell in rows[0][1]]
    table = _table(_primary_title(analysis, split), analysis.first.noun, *heads)
    for entry, (rate, *differences) in rows:
        told = [f"{cell.text} {cell.verdict}\n{cell.small[0]}" if cell.text else "" for cell in differences]
        table.add_row(Text(entry.label), "\n".join([rate.text, *rate.small]), *map(Text, told))
    return table


def _primary_title(analysis: Analysis, split: str) -> str:
    return f"{words.setting(analysis, split)}: {analysis.primary(split).label}"


def _pairs(analysis: Analysis, split: str) -> Table:
    """Every model by the primary measure, and below it its differences to those above, one a line, so that any number
    of models fits."""
    table = _table(_primary_title(analysis, split), "model", "percent", "difference in points")
    for numbers in table.columns[1:]:
        numbers.no_wrap = True
    for entry, (rate, *differences) in tables.pair_rows(analysis, split, analysis.shown):
        table.add_row(Text(entry.label), "  ".join([rate.text, *rate.small]), "")
        for cell in differences:
            if cell.text:
                told = "  ".join(filter(None, [cell.text, *cell.small, cell.verdict]))
                table.add_row(Text(f"  {cell.head}"), "", Text(told))
    return table


def _secondary(analysis: Analysis, split: str) -> Table:
    views, decoding = analysis.secondary(split), analysis.compare.decoding
    heads = [view.label.replace(", ", "\n") for view in views]
    used = {entry: analysis.rate(entry, split, decoding, "perseverated") for entry in analysis.shown}
    told = split in analysis.shifted and any(used.values())
    heads += ["trained\nrule used"] if told else []
    table = _table(split, "branch", *heads)
    for entry in analysis.shown:
        rates = [analysis.rate(entry, split, view.decoding, view.measure) for view in views]
        rates += [used[entry]] if told else []
        table.add_row(Text(entry.label), *[words.percent(rate.value if rate else None) for rate in rates])
    return table


def _understanding(analysis: Analysis, split: str) -> Table:
    """What helps to understand a verdict: validity, use of the trained rule under a shift, and at home the gap to what
    was trained on."""
    asked = {"valid": "valid"} | ({"trained rule used": "perseverated"} if split in analysis.shifted else {})
    gapped = analysis.gapped and split == analysis.home
    gap_head = f"{analysis.compare.train} - {analysis.home}, points"
    table = _table(split, "model", *asked, *([gap_head] if gapped else []))
    for entry in analysis.shown:
        rates = [analysis.rate(entry, split, analysis.compare.decoding, measure) for measure in asked.values()]
        cells = [words.percent(rate.value if rate else None) for rate in rates]
        if gapped:
            cells.append(_points(analysis.gap(entry, analysis.primary(split))))
        table.add_row(Text(entry.label), *cells)
    return table


def _ladders(analysis: Analysis) -> Table:
    """How success changes with the distance from training."""
    ladders = analysis.first.ladders
    table = _table("Change of success from one split of a ladder to the next, in points", "model", *ladders)
    for entry in analysis.shown:
        slopes = [analysis.slope(entry, rungs, analysis.primary(analysis.home)) for rungs in ladders.values()]
        table.add_row(Text(entry.label), *map(_points, slopes))
    return table


def _points(found: Interval | None) -> str:
    return words.change(found) if found else "n/a"


def _probes(analysis: Analysis, split: str) -> Table:
    """Memorisation and forgetting on one split, one measure a row."""
    entries = analysis.shown
    table = _table(
        f"{split}: memorisation and forgetting, where the start is {analysis.first.beginning}",
        "",
        *[entry.label for entry in entries],
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
