"""Names beside lines and points, placed so that none covers another."""

import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes


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
    gap = 8.5
    ordered = sorted(ends, key=lambda end: end[1])
    places: list[float] = []
    for _, y, *_ in ordered:
        places.append(max(y, places[-1] + gap) if places else max(y, 0.0))
    ceiling = 100.0
    for index in reversed(range(len(places))):
        places[index] = min(places[index], ceiling)
        ceiling = places[index] - gap
    for place, (x, y, label, colour, solid) in zip(places, ordered, strict=True):
        axes.annotate(
            label,
            xy=(x, y),
            xytext=(1.03, place),
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
    above = math.inf
    for x, y, label, colour, solid, back in sorted(points, key=lambda point: -point[1] - unit * point[5]):
        place = min(y + back * unit, above - 10 * unit)
        above = place
        axes.annotate(
            label,
            xy=(x, y),
            xytext=(9, (place - y) / unit),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=8.5 if solid else 7.5,
            fontweight="bold" if solid else "normal",
            zorder=7,
        )
