"""Figures: one small panel an inline SVG for the page, and whole figures as SVG and PNG for a paper.

The page puts panels into a grid that becomes one column on a phone; a paper figure puts the same panels side by side.
Ink and series colours are drawn in fixed print colours and replaced by CSS variables in the inline SVG, so that it
follows the theme of the page.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shiftgym.reports.panels import GRID, INK, MUTED, PANEL, SERIES, Panel

THEMED = {INK: "--ink", MUTED: "--muted", GRID: "--grid"} | {colour: f"--series-{i}" for i, colour in enumerate(SERIES)}
"""Print colour -> CSS variable of the page (`following/templates/page.css`)."""

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "svg.hashsalt": "shiftgym",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


DRAWN = 0.35
"""Least share of a panel's width that its axes have."""


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """A whole figure: its panels, row by row."""

    name: str
    panels: Sequence[Panel]
    columns: int


def inline_svg(panel: Panel, prefix: str) -> str:
    """A panel as SVG markup that follows the page's theme and font. `prefix` keeps ids apart on one page."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=PANEL)
        panel.draw(_panel_axes(figure, panel, 0, 1, 1, above=8))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    markup = buffer.getvalue()
    markup = markup[markup.index("<svg") :]
    view_box = re.search(r'viewBox="[^"]+"', markup)
    assert view_box is not None
    label = re.sub(r"[^\w ,.%()-]", " ", panel.title)
    head = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view_box[0]} role="img" aria-label="{label}">'
    markup = re.sub(r"<svg[^>]*>", head, markup, count=1)
    markup = re.sub(r"<metadata>.*?</metadata>", "", markup, flags=re.DOTALL)
    markup = re.sub(r'\bid="', f'id="{prefix}-', markup)
    markup = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", markup)
    markup = re.sub(r"'DejaVu Sans'(, sans-serif)?", "var(--font)", markup)
    for colour, variable in THEMED.items():
        markup = markup.replace(colour, f"var({variable})")
    return markup


def save(figure: PaperFigure, folder: Path) -> list[Path]:
    """Write a whole figure as SVG (transparent) and PNG (white)."""
    rows = -(-len(figure.panels) // figure.columns)
    paths = [folder / f"{figure.name}.svg", folder / f"{figure.name}.png"]
    with mpl.rc_context(RC):
        drawing = Figure(figsize=(PANEL[0] * figure.columns, PANEL[1] * rows))
        for index, panel in enumerate(figure.panels):
            axes = _panel_axes(drawing, panel, index, figure.columns, rows, above=22)
            panel.draw(axes)
            axes.set_title(panel.title, loc="left")
        drawing.savefig(paths[0], metadata={"Date": None})
        drawing.savefig(paths[1], dpi=200, facecolor="white")
    return paths


def _panel_axes(figure: Figure, panel: Panel, index: int, columns: int, rows: int, *, above: float) -> Axes:
    """Axes for one panel of a grid, with `above` points left for a title. Margins are fixed: computing them from the
    drawing would take most of a report's time."""
    width, height = (72 * side for side in PANEL)
    row, column = divmod(index, columns)
    # However long a name is, a part of the panel is left to the drawing.
    scale = min(1.0, (1 - DRAWN) * width / (panel.left + panel.right))
    left, right = column * width + scale * panel.left, (column + 1) * width - scale * panel.right
    bottom, top = (rows - 1 - row) * height + 36, (rows - row) * height - above
    across, up = columns * width, rows * height
    return figure.add_axes((left / across, bottom / up, (right - left) / across, (top - bottom) / up))
