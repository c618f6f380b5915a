"""Prints the tables of a run as docs/findings has them: success of every branch, and paired differences on each shift.

    python scripts/tables.py runs/points-text-20260101-120000
    python scripts/tables.py runs/paper-20260101-120000/window greedy:success_1 sampled:success

Columns are views as `decoding:measure`; by default the primary measure, then success with one attempt and with all, and
the trained rule used. Values are percent, differences are points with their 95 % intervals.
"""

import sys
from pathlib import Path

import numpy as np

from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import Entry
from shiftgym.reports.load import load_run
from shiftgym.reports.words import change, percent, signed


def main(folder: Path, columns: list[str]) -> None:
    """Print the tables of the run in a folder."""
    analysis = Analysis([load_run(folder)])
    for split in analysis.splits:
        views = [(decoding, measure) for decoding, _, measure in (column.partition(":") for column in columns)]
        views = views or default(analysis, split)
        print(f"\n## {split}\n")
        rates = [(entry.label, [analysis.rate(entry, split, *view) for view in views]) for entry in analysis.entries]
        table(views, [[label, *(percent(one and one.value) for one in of)] for label, of in rates])
        if split not in analysis.shifted:
            continue
        print()
        pairs = [(a, b) for a in analysis.entries for b in against(analysis, a)]
        rows = [
            [f"{a.label} − {b.label}", *(difference(analysis, a, b, split, *view) for view in views)] for a, b in pairs
        ]
        table(views, rows)
        print()
        for entry in analysis.entries[1:]:
            print(f"{entry.label} − start, seed by seed: {', '.join(by_seed(analysis, entry, split))}")


def default(analysis: Analysis, split: str) -> list[tuple[str, str]]:
    """The primary measure of a split, the other views of success, and the trained rule used."""
    return [*(view[:2] for view in analysis.asked(split)), *((one, "perseverated") for one in analysis.first.decodings)]


def against(analysis: Analysis, entry: Entry) -> list[Entry]:
    """What an entry is compared with: the start, and what the study is about."""
    order = {"reinforced": ("start", "supervised"), "supervised": ("start",), "start": ()}
    wanted = order.get(entry.part, ("start", "reinforced"))
    return [other for part in wanted for other in analysis.entries if other.part == part]


def difference(analysis: Analysis, a: Entry, b: Entry, split: str, decoding: str, measure: str) -> str:
    """A paired difference with its interval."""
    found = analysis.difference(a, b, split, decoding, measure)
    return "n/a" if found is None else change(found.interval)


def by_seed(analysis: Analysis, entry: Entry, split: str) -> list[str]:
    """The change from the start of each seed, by the primary measure."""
    decoding, measure = analysis.primary(split)[:2]
    start = analysis.entries[0]
    cube = analysis.first.cube
    a, b = (cube.answers(measure, one.branch, one.fractions[0], split, decoding) for one in (entry, start))
    return [signed(float(value)) for value in np.nanmean(a, axis=1) - np.nanmean(b, axis=1)]


def table(views: list[tuple[str, str]], rows: list[list[str]]) -> None:
    """A table as Markdown."""
    heads = ["", *(f"{decoding}, {measure}" for decoding, measure in views)]
    for row in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
