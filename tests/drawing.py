"""Reports whose panels are drawn once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure


@contextmanager
def drawn_once() -> Iterator[None]:
    """Have a report draw each panel once, into the SVG of its figure. The PNG of the figure and the pictures of the
    page stay empty: to draw the same panels for them as well takes most of the time of a tiny study."""
    save = Figure.savefig

    def saved(figure: Figure, path: Path, **options: Any) -> None:
        if path.suffix == ".svg":
            save(figure, path, **options)
        else:
            path.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", saved)
        patch.setattr("shiftgym.reports.page.inline_svg", lambda panel, prefix: "<svg></svg>")
        yield
