"""Panels: the drawings that figures are made of, each a function of axes and an analysis."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from shiftgym.evaluation.statistics import Interval
from shiftgym.evaluation.summaries import pool
from shiftgym.following.declaration import START, View
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import EARLY, Entry
from shiftgym.reports.labels import WIDTH_OF_LETTER, label_colour, label_ends, label_points, room, short

INK, MUTED, GRID = "#1b1e23", "#5d6570", "#d9dde2"
SERIES = ("#d55e00", "#0072b2", "#00875f", "#a8447f", "#8f6b00", "#4f7f99", "#6b6b6b")
"""Colours of the branches in print, after Okabe and Ito, darkened to hold a line on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
OUTCOMES = ("#1f8062", "#e6b800", "#e07b39", "#b04a3f", "#8a6fae", "#7a828c")
"""Fills of outcome shares, best first; the dark or light label is chosen by `label_colour`."""

PANEL = (3.9, 2.9)
"""Inches of one panel; text of 8.5 points stays readable when the panel is as wide as a phone."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of a figure."""

    title: str
    draw: Callable[[Axes], None]
    left: float = 40
    """Points left of the axes, for names and numbers."""
    right: float = 10


def colour_of(analysis: Analysis, branch: str) -> str:
    """Ink for the start, and a series colour for each branch in the order of the study file."""
    names = [each.name for each in analysis.drawn if each.name != START]
    return SERIES[names.index(branch) % len(SERIES)] if branch in names else INK


def marker_of(analysis: Analysis, branch: str) -> str:
    """A marker that no other branch of the same colour has."""
    names = [each.name for each in analysis.drawn if each.name != START]
    index = names.index(branch)
    return MARKERS[(index + index // len(SERIES)) % len(MARKERS)]


def is_solid(analysis: Analysis, branch: str) -> bool:
    """Lines of controls are thin and dashed, and in a crowd all but those that the study is about; others are solid."""
    part = analysis.compare.part(branch)
    return part in ("supervised", "reinforced") if analysis.hidden else part != "control"


class Side(NamedTuple):
    """What one axis of a trajectory shows."""

    split: str
    decoding: str
    measure: str
    label: str


def trajectory(analysis: Analysis, title: str, across: Side, up: Side) -> Panel:
    """One measure (x) against another (y) of every branch through its checkpoints. In a crowd only the branches that
    the study is about are named, since other names would stand far from their lines."""

    named = [branch for branch in analysis.drawn if not analysis.hidden or is_solid(analysis, branch.name)]

    def point(entry: Entry) -> tuple[Interval, Interval] | None:
        x, y = (analysis.rate(entry, side.split, side.decoding, side.measure) for side in (across, up))
        return (x, y) if x and y else None

    def draw(axes: Axes) -> None:
        drawn = []
        for branch in analysis.drawn:
            entries = analysis.curve(branch)
            found = [at for entry in entries if (at := point(entry))]
            points = [(x.value, y.value) for x, y in found]
            if branch.name == START or len(points) < 2:
                continue
            colour, solid = colour_of(analysis, branch.name), is_solid(analysis, branch.name)
            xs, ys = 100 * np.array(points).T
            marker = marker_of(analysis, branch.name)
            axes.plot(xs, ys, color=colour, lw=2.2 if solid else 1.1, ls="-" if solid else (0, (4, 2)), zorder=3)
            axes.plot(xs[1:-1], ys[1:-1], ls="", marker=marker, ms=3.5, color=colour, zorder=4)
            axes.annotate(
                "",
                xy=(xs[-1], ys[-1]),
                xytext=(xs[-2], ys[-2]),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": colour,
                    "lw": 0,
                    "mutation_scale": 13,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
                zorder=5,
            )
            end_x, end_y = found[-1]
            if solid:
                axes.plot([100 * end_x.low, 100 * end_x.high], [ys[-1]] * 2, color=colour, lw=0.8, alpha=0.6)
                axes.plot([xs[-1]] * 2, [100 * end_y.low, 100 * end_y.high], color=colour, lw=0.8, alpha=0.6)
            # A line that runs to the left would cross its own name.
            back = 0.0 if xs[-1] >= xs[-2] else math.copysign(6.0, ys[-1] - ys[-2])
            if branch in named:
                drawn.append((float(xs[-1]), float(ys[-1]), short(branch.label), colour, solid, back))
        early = next((entry for entry in analysis.entries if entry.name == EARLY), None)
        if early and (at := point(early)):
            spot = 100 * at[0].value, 100 * at[1].value
            axes.plot(*spot, "o", ms=9, mfc="none", mec=colour_of(analysis, early.branch))
        if analysis.start and (at := point(analysis.start)):
            spot = 100 * at[0].value, 100 * at[1].value
            axes.plot(*spot, "o", ms=8, mfc="none", mec=INK, mew=1.6, zorder=6)
            axes.annotate(
                short(analysis.start.label),
                xy=spot,
                xytext=(8, -8),
                textcoords="offset points",
                ha="left",
                va="center",
                fontweight="bold",
            )
        axes.set_xlabel(f"{across.label}, %")
        axes.set_ylabel(f"{up.label}, %")
        axes.margins(0.16, 0.12)
        _widen(axes)
        axes.set_xticks(
            [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= min(axes.get_xlim()[1], 100)]
        )
        label_points(axes, drawn, PANEL[1])

    return Panel(title, draw, right=room(branch.label for branch in named))


def _widen(axes: Axes) -> None:
    """Show at least ten points of an axis on which all branches stand in one place, as where nothing was ever right."""
    for (low, high), set_limits in ((axes.get_xlim(), axes.set_xlim), (axes.get_ylim(), axes.set_ylim)):
        if high - low < 1:
            set_limits((low + high) / 2 - 5, (low + high) / 2 + 5)


def pareto(analysis: Analysis, split: str) -> Panel:
    """The primary measure at home (x) and on a shifted split (y) of every entry at its end, by its rank, and the front:
    what nothing beats at both. Entries far below the others are only listed, so that the others can be told apart, and
    those for which there is no room are points without a rank."""

    ranking = analysis.rankings[split]
    points = 100 * np.array([ranked.point for ranked in ranking])
    near = (points > np.median(points, axis=0) - FAR_BELOW).all(axis=1)
    hidden = set(analysis.hidden)
    crowd = np.array([ranked.entry in hidden for ranked in ranking])
    listed = [
        (rank, ranked, x, y, is_near)
        for rank, (ranked, (x, y), is_near) in enumerate(zip(ranking, points, near, strict=True), 1)
        if ranked.entry not in hidden
    ]
    names = [
        f"{rank}  {short(ranked.entry.label)}" + ("" if is_near else f" (at {x:.0f}, {y:.0f})")
        for rank, ranked, x, y, is_near in listed
    ]

    def draw(axes: Axes) -> None:
        if crowd.any():
            axes.plot(*points[crowd & near].T, ".", ms=2.5, color=MUTED, alpha=0.5, zorder=1)
        for line, (name, (rank, ranked, x, y, is_near)) in enumerate(zip(names, listed, strict=True)):
            colour = colour_of(analysis, ranked.entry.branch)
            if is_near:
                axes.plot(x, y, "o", ms=10, color=colour, zorder=4)
                axes.annotate(f"{rank}", xy=(x, y), ha="center", va="center", color="white", fontsize=6.5, zorder=4)
            axes.annotate(
                name,
                xy=(1.05, 1 - (line + 0.5) / max(len(listed), 8)),
                xycoords="axes fraction",
                va="center",
                color=colour,
                fontsize=7.5,
                fontweight="bold" if ranked.front else "normal",
            )
        if analysis.start is not None:
            spot = [100 * at for at in analysis.point(analysis.start, split)]
            axes.plot(*spot, "o", ms=13, mfc="none", mec=INK, mew=1.6, zorder=6)
        edge = sorted(tuple(point) for point, ranked in zip(points, ranking, strict=True) if ranked.front)
        axes.plot([x for x, _ in edge], [y for _, y in edge], color=MUTED, lw=0.9, ls=(0, (1, 2)), zorder=2)
        axes.set_xlabel(f"on {analysis.home}, %")
        axes.set_ylabel(f"on {split}, %")
        axes.margins(0.12, 0.12)

    right = 14 + WIDTH_OF_LETTER * max(map(len, names))
    return Panel(f"{split}: {analysis.primary(split).label}", draw, right=right)


FAR_BELOW = 30.0
"""Entries this many points or more below the median are listed but not drawn."""


def ladder(analysis: Analysis, rungs: Sequence[str], view: View) -> Panel:
    """Success of every entry on splits at growing distance from training."""

    def draw(axes: Axes) -> None:
        ends = []
        for entry in analysis.shown:
            points = [
                (step, found)
                for step, split in enumerate(rungs)
                if (found := analysis.rate(entry, split, view.decoding, view.measure))
            ]
            if entry.name == EARLY or not points:
                continue
            colour, solid = colour_of(analysis, entry.branch), is_solid(analysis, entry.branch)
            xs = [step for step, _ in points]
            values, lows, highs = ([100 * getattr(of, name) for _, of in points] for name in ("value", "low", "high"))
            if solid:
                axes.fill_between(xs, lows, highs, color=colour, alpha=0.15, lw=0)
            axes.plot(
                xs, values, color=colour, lw=1.9 if solid else 1.0, ls="-" if solid else (0, (4, 2)), marker="o", ms=3
            )
            ends.append((float(xs[-1]), values[-1], short(entry.label), colour, solid))
        axes.set_ylim(-3, 103)
        axes.set_xticks(range(len(rungs)), rungs, rotation=18, ha="right", rotation_mode="anchor", fontsize=7)
        axes.set_ylabel("%")
        label_ends(axes, ends)

    return Panel(view.label, draw, right=10 + room(branch.label for branch in analysis.drawn))


def against_compute(analysis: Analysis, split: str, decoding: str, measure: str, title: str, axis: str) -> Panel:
    """One measure of every branch against its training compute, with its interval as a band; in a crowd only those that
    the study is about have bands."""

    def draw(axes: Axes) -> None:
        ends = []
        for branch in analysis.drawn:
            points = [
                (analysis.compute(entry, axis), found)
                for entry in analysis.curve(branch)
                if (found := analysis.rate(entry, split, decoding, measure))
            ]
            xs = [x for x, _ in points]
            if branch.name == START or not any(xs):
                continue
            colour, solid = colour_of(analysis, branch.name), is_solid(analysis, branch.name)
            values, lows, highs = (
                [100 * getattr(found, name) for _, found in points] for name in ("value", "low", "high")
            )
            if solid or not analysis.hidden:
                axes.fill_between(xs, lows, highs, color=colour, alpha=0.18 if solid else 0.07, lw=0)
            axes.plot(
                xs,
                values,
                color=colour,
                lw=1.9 if solid else 1.0,
                ls="-" if solid else (0, (4, 2)),
                marker=marker_of(analysis, branch.name),
                ms=3.5 if solid else 2.5,
            )
            ends.append((xs[-1], values[-1], short(branch.label), colour, solid))
        axes.set_ylim(-3, 103)
        axes.set_xlim(left=0)
        axes.set_ylabel("%")
        axes.set_xlabel(analysis.first.axes[axis])
        label_ends(axes, ends)

    return Panel(title, draw, right=10 + room(branch.label for branch in analysis.drawn))


def rates(analysis: Analysis, split: str, decoding: str, measure: str, title: str) -> Panel:
    """One measure of every entry with its interval, one row an entry."""

    def draw(axes: Axes) -> None:
        for row, entry in enumerate(analysis.shown):
            found = analysis.rate(entry, split, decoding, measure)
            if found is not None:
                colour = colour_of(analysis, entry.branch)
                axes.plot([100 * found.low, 100 * found.high], [row] * 2, color=colour, lw=1.4)
                axes.plot(100 * found.value, row, "o", ms=6, color=colour)
        axes.set_yticks(range(len(analysis.shown)), [short(entry.label) for entry in analysis.shown])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(analysis.shown) - 0.5, -0.5)
        axes.set_xlim(-3, 103)
        axes.set_xlabel("%")

    return Panel(title, draw, left=10 + room(entry.label for entry in analysis.shown))


def outcome_fills(analysis: Analysis) -> dict[str, str]:
    """The outcomes that occur, best first, each with its fill."""
    names = analysis.first.task.outcomes
    return {name: fill for name, fill in zip(names, itertools.cycle(OUTCOMES)) if name in analysis.outcomes}


def outcomes(analysis: Analysis, split: str, decoding: str, share: str) -> Panel:
    """Shares of outcomes of every entry as stacked bars; `share` is `first` or `final`."""

    def draw(axes: Axes) -> None:
        entries = [entry for entry in analysis.shown if analysis.summaries(entry, split, decoding)]
        for row, entry in enumerate(entries):
            shares = pool(analysis.summaries(entry, split, decoding), share)
            left = 0.0
            for name, fill in outcome_fills(analysis).items():
                width = 100 * shares.get(name, 0.0)
                axes.barh(row, width, left=left, color=fill, height=0.72, lw=0)
                if width >= 9:
                    axes.text(
                        left + width / 2,
                        row,
                        f"{width:.0f}",
                        ha="center",
                        va="center",
                        fontsize=7.5,
                        color=label_colour(fill),
                    )
                left += width
        axes.set_yticks(range(len(entries)), [short(entry.label) for entry in entries])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(f"share of {'decisions' if analysis.several else 'problems'} on {split}, %")
        axes.grid(False)
        axes.spines["left"].set_visible(False)

    return Panel(
        f"{split}: {'first' if share == 'first' else 'last'} attempt, {decoding}",
        draw,
        left=10 + room(entry.label for entry in analysis.shown),
    )
