"""What does not change while a run goes on, as a page shows it."""

from collections.abc import Iterable
from typing import Any

from shiftgym.evaluation.measures import MEASURES
from shiftgym.following.curves import AXES, COLUMNS, Column
from shiftgym.following.declaration import Declaration


def head(declared: Declaration, columns: Iterable[str]) -> dict[str, Any]:
    """The entry `head` of section `run`.

    Args:
        columns: of the curves that there are.
    """
    study, compare = declared.study, declared.compare
    primary = [(split, declared.primary(split)) for split in declared.splits]
    others = [(split, view) for split in declared.splits for view in declared.secondary(split)]
    return {
        "name": study["name"],
        "title": study["title"],
        "note": declared.note,
        "kind": declared.kind,
        "noun": declared.noun,
        "nouns": declared.nouns,
        "train": compare.train,
        "home": compare.home,
        "shifted": list(compare.shifted),
        "splits": declared.splits,
        "decodings": declared.decodings,
        "problems": declared.problems,
        "limit": declared.limit,
        "seeds": declared.seeds,
        "data_seed": study["data_seed"],
        "axes": declared.axes,
        "equal": declared.equal,
        "budget": declared.budget,
        "views": [
            {"split": split, **view._asdict(), "primary": (split, view) in primary} for split, view in primary + others
        ],
        "branches": [
            {
                "name": info.name,
                "label": info.label,
                "part": declared.part(info.name),
                "start": info.start,
                "start_at": info.start_at,
            }
            for info in declared.branches
        ],
        "measures": {
            view.measure: {
                "label": MEASURES[view.measure].called(declared.limit),
                "definition": MEASURES[view.measure].definition,
                "share": MEASURES[view.measure].share,
            }
            for _, view in primary + others
        },
        "curves": {
            name: COLUMNS.get(name, Column(name.replace("_", " ")))._asdict() for name in columns if name not in AXES
        },
    }
