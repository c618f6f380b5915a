"""Reports whose panels are drawn and not saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure


@contextmanager
def drawn_once() -> Iterator[None]:
    """Have a report draw each panel once, into its figure. The files of figures and the pictures of the page stay
    empty: to write them, and to draw the same panels for the page as well, takes most of the time of a tiny study.
    What is written is held by the tests of reports."""

    def saved(figure: Figure, path: Path, **options: Any) -> None:
        path.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", saved)
        patch.setattr("shiftgym.reports.page.inline_svg", lambda panel, prefix: "<svg></svg>")
        yield
