"""Names beside lines and points, placed so that none covers another."""

import math
from collections.abc import Iterable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes

WIDTH_OF_LETTER = 4.6
"""Points."""
LONGEST = 28
"""Letters of a label that a panel has room for."""


def short(label: str) -> str:
    """A label, cut off if it is longer than a panel has room for."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def room(labels: Iterable[str]) -> float:
    """Points that the longest of some labels takes."""
    return WIDTH_OF_LETTER * max((len(short(label)) for label in labels), default=0)


def label_colour(fill: str) -> str:
    """Black or white, whichever can be read on `fill`."""
    red, green, blue = mpl.colors.to_rgb(fill)
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#ffffff"


Mark = tuple[float, float, str, str, bool]
"""x, y, label, colour, and whether the line is solid, which those of controls are not."""


def label_ends(axes: Axes, ends: Sequence[Mark]) -> None:
    """Names at the right ends of lines, pushed apart so that none covers another."""
    if not ends:
        return
    # Many names stand closer together, as long as they can be read.
    gap = min(8.5, max(100 / max(len(ends) - 1, 1), 5.8))
    ordered = sorted(ends, key=lambda end: end[1])
    heights: list[float] = []
    for _, y, *_ in ordered:
        heights.append(max(y, heights[-1] + gap) if heights else max(y, 0.0))
    ceiling = 100.0
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - gap
    for height, (x, y, label, colour, solid) in zip(heights, ordered, strict=True):
        axes.annotate(
            label,
            xy=(x, y),
            xytext=(1.03, height),
            textcoords=("axes fraction", "data"),
            color=colour,
            va="center",
            fontsize=8 if solid else 7.5,
            fontweight="bold" if solid else "normal",
            annotation_clip=False,
        )


def label_points(axes: Axes, points: Sequence[tuple[float, float, str, str, bool, float]], height: float) -> None:
    """Names to the right of points, pushed apart. Each is a `Mark` and how many points its name stands above it.
    `height` is that of the panel in inches."""
    low, high = axes.get_ylim()
    unit = (high - low) / (height * 72 * 0.75)
    level = math.inf
    for x, y, label, colour, solid, back in sorted(points, key=lambda point: -point[1] - unit * point[5]):
        level = min(y + back * unit, level - 10 * unit)
        axes.annotate(
            label,
            xy=(x, y),
            xytext=(9, (level - y) / unit),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=8.5 if solid else 7.5,
            fontweight="bold" if solid else "normal",
            zorder=7,
        )
