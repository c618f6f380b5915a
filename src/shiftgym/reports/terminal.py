"""The result of a run for a terminal of 80 columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from shiftgym.reports import tables, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.cautions import cautions
from shiftgym.reports.entries import Entry
from shiftgym.reports.judgement import SCOPE, judge_all, judged_entries, template_warning
from shiftgym.reports.runs import ComparisonRun, load_runs

Rows = Sequence[tuple[Entry, Sequence[tables.Cell]]]


def result_table(run_folder: Path, others: Sequence[Path] = ()) -> Group:
    """What a study or a comparison of checkpoints found: the verdicts, the primary measure and the secondary ones.

    Args:
        run_folder: a run folder, finished or not.
        others: runs of the same study on other backbones, pooled with it.

    Raises:
        DataError: a folder is no run folder or holds a broken file, or the runs cannot be pooled.
    """
    analysis = Analysis(load_runs([run_folder, *others]))
    warnings = [words.unfinished(analysis), *cautions(analysis), template_warning(analysis.first)]
    parts: list[Any] = [Text(f"{warning}\n") for warning in warnings if warning]
    parts += _comparison(analysis) if isinstance(analysis.first, ComparisonRun) else _study(analysis)
    return Group(*parts, words.scope(analysis))


def _study(analysis: Analysis) -> list[Any]:
    parts: list[Any] = [
        Text(f"{words.headline(analysis, split)}.\n{words.match(analysis, split)}\n") for split in analysis.shifted
    ]
    parts += [_primary(analysis, split, tables.primary_rows(analysis, split)) for split in analysis.judged_first]
    parts += ["Secondary measures, in percent. No verdict above depends on them:", ""]
    return parts + [_secondary(analysis, split) for split in analysis.judged_first]


def _comparison(analysis: Analysis) -> list[Any]:
    parts: list[Any] = [
        Text(f"{entry.label}, {split}: {found.sentence}.\n")
        for entry in judged_entries(analysis.first)
        for split, found in judge_all(analysis, entry).items()
    ]
    parts += [_primary(analysis, split, tables.pair_rows(analysis, split)) for split in analysis.judged_first]
    parts.append(_understanding(analysis))
    return [*parts, *(_probes(analysis, split) for split in analysis.first.probed), Text(SCOPE), ""]


def _primary(analysis: Analysis, split: str, rows: Rows) -> Table:
    title = f"{words.setting(analysis, split)}: {analysis.primary(split).label}"
    table = Table(
        analysis.first.noun, *[escape(cell.head) for cell in rows[0][1]], title=title, box=SIMPLE_HEAD, pad_edge=False
    )
    for entry, (rate, *differences) in rows:
        told = [f"{cell.text} {cell.verdict}\n{cell.small[0]}" if cell.text else "" for cell in differences]
        table.add_row(Text(entry.label), "\n".join([rate.text, *rate.small]), *map(Text, told))
    return table


def _secondary(analysis: Analysis, split: str) -> Table:
    views, decoding = analysis.secondary(split), analysis.compare.decoding
    heads = [view.label.replace(", ", "\n") for view in views]
    used = {entry: analysis.rate(entry, split, decoding, "perseverated") for entry in analysis.entries}
    told = split in analysis.shifted and any(used.values())
    heads += ["trained\nrule used"] if told else []
    table = Table("branch", *heads, title=split, box=SIMPLE_HEAD, pad_edge=False)
    for entry in analysis.entries:
        rates = [analysis.rate(entry, split, view.decoding, view.measure) for view in views]
        rates += [used[entry]] if told else []
        table.add_row(Text(entry.label), *[words.percent(rate.value if rate else None) for rate in rates])
    return table


def _understanding(analysis: Analysis) -> Table:
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
