"""Makes the parts of `docs/measures.md` that follow from the tables of measures and the constants of `power`.

    python -m shiftgym.evaluation.reference docs/measures.md

writes them between their marks, `<!-- begin NAME -->` and `<!-- end NAME -->`; the rest of the page is kept.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shiftgym.evaluation.measures import MEASURES, Measure
from shiftgym.evaluation.power import PLANNED, detectable_difference
from shiftgym.evaluation.probed import PROBES
from shiftgym.files import with_part

BETTER = {1: "more", -1: "less", 0: ""}

DESIGNS = ((1, 128, 1), (3, 128, 1), (3, 128, 8), (5, 128, 1), (5, 128, 8), (5, 512, 8))
"""Seeds, problems and samples of the studies whose power the page shows."""


def measures_table(measures: Mapping[str, Measure[Any]]) -> str:
    """A Markdown table with one row a measure."""
    rows = ["| name | in reports | definition | better | applies to | source |", "|---|---|---|---|---|---|"]
    for measure in measures.values():
        cells = (
            f"`{measure.name}`",
            measure.called("…"),
            measure.definition,
            BETTER[measure.better],
            measure.where,
            measure.source,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def power_table() -> str:
    """The smallest difference that studies of some sizes can detect, with the spreads that are assumed."""
    rows = [
        f"Assumed before a run: {100 * PLANNED.seeds:g} points between seeds, {100 * PLANNED.problems:g} between "
        f"problems, {100 * PLANNED.answers:.0f} between single answers.",
        "",
        "| seeds | problems a split | answers a problem | smallest difference, points |",
        "|---|---|---|---|",
    ]
    rows += [f"| {' | '.join(map(str, each))} | {100 * detectable_difference(*each):.1f} |" for each in DESIGNS]
    return "\n".join(rows)


def updated(page: str) -> str:
    """The page with these parts replaced."""
    parts = {"measures": measures_table(MEASURES), "probes": measures_table(PROBES), "power": power_table()}
    for name, text in parts.items():
        page = with_part(page, name, text)
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
