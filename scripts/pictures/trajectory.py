"""What each branch of a study gained at home against what it gained under a shift, as a picture."""

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from scripts.pictures.drawing import NORMAL, SMALL, WIDTH, lines_of, picture, text

from shiftgym.following.page import SERIES, SERIES_ON_DARK
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import EARLY, Entry
from shiftgym.reports.load import load_run
from shiftgym.reports.panels import is_solid
from shiftgym.reports.runs import START

LEFT, RIGHT, TOP, SIDE = 52.0, 24.0, 62.0, 300.0
"""Room left and right of the axes and above them; their height."""

Point = tuple[float, float]


class Scale(NamedTuple):
    """Shares to units of the picture, along one axis."""

    low: float
    high: float
    start: float
    end: float

    def at(self, share: float) -> float:
        return self.start + (share - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round shares: three to seven of them."""
        step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if (self.high - self.low) / step <= 6.5)
        return [step * number for number in range(math.ceil(self.low / step - 1e-9), int(self.high / step + 1e-9) + 1)]


def draw(folder: Path, split: str) -> str:
    """The picture of a run folder, by the primary measure of a shifted split."""
    analysis = Analysis([load_run(folder)])
    view = analysis.primary(split)

    def point(entry: Entry) -> Point | None:
        both = [analysis.rate(entry, each, view.decoding, view.measure) for each in (analysis.home, split)]
        return (both[0].value, both[1].value) if both[0] and both[1] else None

    curves = {
        branch: [at for entry in analysis.curve(branch) if (at := point(entry))]
        for branch in analysis.drawn
        if branch.name != START
    }
    begin = analysis.start and point(analysis.start)
    early = next((point(entry) for entry in analysis.entries if entry.name == EARLY), None)
    reached = [at for curve in curves.values() for at in curve]
    across = _scale([x for x, _ in reached], LEFT, WIDTH - RIGHT)
    up = _scale([y for _, y in reached], TOP + SIDE, TOP)
    parts = [
        text(LEFT - 36, 28, f"{analysis.first.study['name']}: {view.label}", "bold"),
        text(LEFT - 36, 47, f"↑ on {split}, percent: under the shift", "muted", SMALL),
        *_axes(across, up),
        text(WIDTH - RIGHT, TOP + SIDE + 36, f"on {analysis.home}, percent: at home →", "muted", SMALL, "end"),
    ]
    names = [branch.name for branch in analysis.drawn if branch.name != START]
    drawn = {branch: [(across.at(x), up.at(y)) for x, y in curve] for branch, curve in curves.items()}
    taken = [spot for points in drawn.values() for spot in _along(points)]
    if begin:
        x, y = across.at(begin[0]), up.at(begin[1])
        taken += _along([(x - 7, y), (x + 7, y)])
        parts += _name("start", (x, y), SMALL, "bold", taken)
        parts.append(f'<circle class="start" cx="{x:.1f}" cy="{y:.1f}" r="7"/>')
    for branch, points in drawn.items():
        solid = is_solid(analysis, branch.name)
        size, weight = (NORMAL, "named bold") if solid else (SMALL, "named")
        name = _name(branch.label, points[-1], size, weight, taken)
        cross = _cross(analysis, analysis.curve(branch)[-1], split, across, up) if solid else []
        line = [f"<title>{escape(branch.label)}</title>", *cross, *_curve(points), *name]
        number = names.index(branch.name) % len(SERIES)
        parts.append(f'<g class="series-{number} {"main" if solid else "control"}">{"".join(line)}</g>')
    if early:
        parts.append(f'<circle class="early" cx="{across.at(early[0]):.1f}" cy="{up.at(early[1]):.1f}" r="8"/>')
    foot = TOP + SIDE + 56
    said = f"Each line is a branch, averaged over {len(analysis.first.seeds)} seeds, from the start to the end of its "
    said += "budget; crosses are 95 % intervals. Thin circle: SFT, stopped early."
    for line in lines_of(said, WIDTH - LEFT + 20, SMALL):
        parts.append(text(LEFT - 36, foot, line, "muted", SMALL))
        foot += 16
    told = "; ".join(
        f"{branch.label} ends at {100 * curve[-1][0]:.1f} and {100 * curve[-1][1]:.1f}"
        for branch, curve in curves.items()
    )
    return picture(
        foot + 2,
        f"{analysis.first.study['name']}: at home against under the shift",
        f"Percent on {analysis.home} and on {split}, {view.label}: the start is at {_both(begin)}; {told}.",
        parts,
        _style(),
    )


def _both(at: Point | None) -> str:
    return f"{100 * at[0]:.1f} and {100 * at[1]:.1f}" if at else "no known place"


def _scale(shares: Sequence[float], start: float, end: float) -> Scale:
    """An axis on which all of these lie, with some room around them."""
    low, high = min(shares), max(shares)
    room = max(0.12 * (high - low), 0.03)
    return Scale(low - room, high + room, start, end)


def _axes(across: Scale, up: Scale) -> list[str]:
    bottom = TOP + SIDE
    parts = []
    for share in across.ticks:
        if share <= 1:
            x = across.at(share)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:g}" y2="{bottom:g}"/>')
            parts.append(text(x, bottom + 17, f"{100 * share:.0f}", "muted", SMALL, "middle"))
    for share in up.ticks:
        if 0 <= share <= 1:
            y = up.at(share)
            parts.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(text(LEFT - 8, y + 4, f"{100 * share:.0f}", "muted", SMALL, "end"))
    return parts


def _curve(points: Sequence[Point]) -> list[str]:
    """The line of a branch with its checkpoints and an arrowhead at the end."""
    (x, y), (from_x, from_y) = points[-1], points[-2]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    angle = math.degrees(math.atan2(y - from_y, x - from_x))
    head = f'<path class="head" transform="translate({x:.1f} {y:.1f}) rotate({angle:.1f})" d="M3,0L-9,-6L-9,6z"/>'
    return [
        f'<polyline points="{path}"/>',
        *(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points[1:-1]),
        head,
    ]


def _cross(analysis: Analysis, entry: Entry, split: str, across: Scale, up: Scale) -> list[str]:
    """The intervals of a branch at its end."""
    view = analysis.primary(split)
    home, away = (analysis.rate(entry, each, view.decoding, view.measure) for each in (analysis.home, split))
    if home is None or away is None:
        return []
    x, y = across.at(home.value), up.at(away.value)
    return [
        f'<path class="cross" d="M{across.at(home.low):.1f},{y:.1f}H{across.at(home.high):.1f}"/>',
        f'<path class="cross" d="M{x:.1f},{up.at(away.low):.1f}V{up.at(away.high):.1f}"/>',
    ]


def _along(points: Sequence[Point]) -> list[Point]:
    """Points every few units along a line."""
    found = []
    for start, end in pairwise(points):
        steps = int(math.dist(start, end) / 3) + 1
        found += [
            (start[0] + (end[0] - start[0]) * step / steps, start[1] + (end[1] - start[1]) * step / steps)
            for step in range(steps + 1)
        ]
    return found


def _name(label: str, at: Point, size: float, kind: str, taken: list[Point]) -> list[str]:
    """A name near a point, where it covers the least of what is `taken`; then it is taken too."""
    width, (x, y) = 0.6 * size * len(label), at
    best, least = (x, y), math.inf
    for reach in (12.0, 20.0, 28.0):
        for degrees in range(0, 360, 30):
            across, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            middle = x + reach * across + (width / 2) * across, y + reach * down
            left, top = middle[0] - width / 2, middle[1] - size / 2
            covered = sum(left - 3 < px < left + width + 3 and top - 2 < py < top + size + 2 for px, py in taken)
            outside = left < LEFT or left + width > WIDTH - 6 or top < TOP or top + size > TOP + SIDE
            cost = 10 * covered + 1000 * outside + reach
            if cost < least:
                best, least = middle, cost
    taken += [(best[0] + width * (step / 8 - 0.5), best[1]) for step in range(9)]
    return [text(round(best[0], 1), round(best[1] + 0.36 * size, 1), label, kind, size, "middle")]


def _style() -> str:
    rules = "".join(f".series-{number}{{--line:{colour}}}" for number, colour in enumerate(SERIES))
    dark = "".join(f".series-{number}{{--line:{colour}}}" for number, colour in enumerate(SERIES_ON_DARK))
    return (
        f"{rules}@media(prefers-color-scheme:dark){{{dark}}}"
        ".grid{stroke:var(--grid)}polyline{fill:none;stroke:var(--line);stroke-linejoin:round}"
        ".main polyline{stroke-width:3.5}.control polyline{stroke-width:1.8;stroke-dasharray:6 4}"
        ".dot,.head{fill:var(--line)}text.named{fill:var(--line)}"
        ".cross{stroke:var(--line);stroke-width:1.2;opacity:.7}.start{fill:none;stroke:var(--ink);stroke-width:2.5}"
        ".early{fill:none;stroke:var(--ink);stroke-width:1.5}"
    )
