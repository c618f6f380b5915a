"""What a run has found, as trackers are told at its end."""

import io
from pathlib import Path

from rich.console import Console

from shiftgym.layout import RunFolder
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import Difference
from shiftgym.reports.judgement import judge_all, judged_entries
from shiftgym.reports.load import load_runs
from shiftgym.reports.runs import LoadedComparison
from shiftgym.reports.terminal import summary
from shiftgym.tracking.base import Summary

COLUMNS = 100


def read_summary(folder: Path) -> Summary | None:
    """What the run in a folder has found; None where it is not over, or nothing was evaluated."""
    run = RunFolder(folder)
    if not run.results.is_file() or not run.results.stat().st_size:
        return None
    analysis = Analysis(load_runs([folder]))
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(summary(analysis), highlight=False)
    values, verdicts = (_judged if isinstance(analysis.first, LoadedComparison) else _compared)(analysis)
    return Summary(console.export_text(), values, verdicts, run.report if run.report.is_file() else None)


def _compared(analysis: Analysis) -> tuple[dict[str, float], dict[str, str]]:
    """Of a study: the differences that its report shows, and whether the effect appeared."""
    values: dict[str, float] = {}
    verdicts: dict[str, str] = {f"effect/{split}": analysis.effect(split).verdict for split in analysis.shifted}
    for split in analysis.judged_first:
        for a, b in analysis.comparisons:
            if found := analysis.judged(a, b, split):
                values |= _values(split, found)
                verdicts[f"verdict/{split}/{a.name}-{b.name}"] = found.verdict
    return values, verdicts


def _judged(analysis: Analysis) -> tuple[dict[str, float], dict[str, str]]:
    """Of a comparison of checkpoints: the change of every candidate, and the verdict on it."""
    values: dict[str, float] = {}
    verdicts: dict[str, str] = {}
    for entry in judged_entries(analysis.first):
        for split, one in judge_all(analysis, entry).items():
            verdicts[f"verdict/{split}/{entry.name}"] = one.word
            values |= _values(split, one.shifted) | _values(analysis.home, one.home)
    return values, verdicts


def _values(split: str, found: Difference) -> dict[str, float]:
    key = f"difference/{split}/{found.a.name}-{found.b.name}"
    return {key: found.interval.value, f"{key}_low": found.interval.low, f"{key}_high": found.interval.high}
