"""The geometry of a card's marks, without any painting: outlines of the suits, pen strokes of the ranks, and the tremor
of handwriting. Everything was drawn for shiftgym.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

from shiftgym.seeds import rng

Point = tuple[float, float]
"""x to the right, y down."""
Polyline = tuple[Point, ...]

STEPS = 12
"""Straight pieces of one curve."""


def _bezier(a: Point, b: Point, c: Point, d: Point) -> list[Point]:
    """A cubic curve from `a` (left out) to `d`."""
    found = []
    for step in range(1, STEPS + 1):
        t = step / STEPS
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        found.append((_dot(weights, (a[0], b[0], c[0], d[0])), _dot(weights, (a[1], b[1], c[1], d[1]))))
    return found


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


# Right half of each suit from top to bottom, in a square of side 1 around the origin: a start and cubic curves.
_HALVES: dict[str, Polyline] = {
    "H": (
        (0, -0.27), (0.05, -0.40), (0.14, -0.48), (0.26, -0.48), (0.40, -0.48), (0.50, -0.37), (0.50, -0.22),
        (0.50, 0.06), (0.16, 0.22), (0, 0.50),
    ),
    "D": ((0, -0.50), (0.09, -0.30), (0.23, -0.12), (0.38, 0), (0.23, 0.12), (0.09, 0.30), (0, 0.50)),
    "S": (
        (0, -0.50), (0.13, -0.24), (0.48, -0.10), (0.48, 0.15), (0.48, 0.29), (0.38, 0.36), (0.27, 0.36),
        (0.17, 0.36), (0.09, 0.31), (0.05, 0.23), (0.06, 0.36), (0.10, 0.45), (0.21, 0.50), (0.14, 0.50),
        (0.07, 0.50), (0, 0.50),
    ),
    "C": (
        (0, -0.50), (0.13, -0.50), (0.235, -0.40), (0.235, -0.27), (0.235, -0.20), (0.21, -0.14), (0.16, -0.09),
        (0.19, -0.11), (0.23, -0.12), (0.27, -0.12), (0.40, -0.12), (0.50, -0.02), (0.50, 0.11), (0.50, 0.24),
        (0.40, 0.34), (0.27, 0.34), (0.17, 0.34), (0.09, 0.28), (0.05, 0.21), (0.06, 0.35), (0.10, 0.45),
        (0.21, 0.50), (0.14, 0.50), (0.07, 0.50), (0, 0.50),
    ),
}  # fmt: skip


@cache
def outline(letter: str) -> Polyline:
    """The outline of a suit (S, C, H, D), closed, in a square of side 1 around the origin."""
    points = _HALVES[letter]
    right = [points[0]]
    for i in range(0, len(points) - 1, 3):
        right += _bezier(*points[i : i + 4])
    return tuple(right + [(-x, y) for x, y in right[-2:0:-1]])


# Strokes of the ranks as a pen writes them, in a box 1 high: points that a smooth line runs through.
_STROKES: dict[str, tuple[Polyline, ...]] = {
    "A": (((0, 1), (0.15, 0.55), (0.33, 0)), ((0.33, 0), (0.5, 0.5), (0.68, 1)), ((0.12, 0.66), (0.56, 0.63))),
    "2": (
        ((0.03, 0.24), (0.12, 0.06), (0.32, 0), (0.53, 0.08), (0.56, 0.3), (0.4, 0.58), (0, 1)),
        ((0, 1), (0.3, 0.97), (0.62, 0.98)),
    ),
    "3": (
        ((0.02, 0.12), (0.25, 0), (0.5, 0.08), (0.52, 0.3), (0.4, 0.42), (0.2, 0.46)),
        ((0.2, 0.46), (0.46, 0.5), (0.58, 0.68), (0.5, 0.9), (0.26, 1), (0, 0.88)),
    ),
    "4": (((0.4, 0), (0.2, 0.36), (0, 0.68)), ((0, 0.68), (0.3, 0.67), (0.64, 0.65)), ((0.44, 0.36), (0.43, 1))),
    "5": (
        ((0.55, 0), (0.3, 0.01), (0.1, 0.02)), ((0.1, 0.02), (0.07, 0.25), (0.05, 0.44)),
        ((0.05, 0.44), (0.28, 0.36), (0.5, 0.44), (0.58, 0.66), (0.48, 0.9), (0.24, 1), (0, 0.92)),
    ),
    "6": (
        ((0.5, 0), (0.24, 0.16), (0.05, 0.48), (0.04, 0.76), (0.16, 0.96), (0.36, 1), (0.54, 0.88), (0.57, 0.68),
         (0.44, 0.52), (0.24, 0.54), (0.05, 0.72)),
    ),
    "7": (
        ((0, 0.02), (0.3, 0.02), (0.6, 0)), ((0.6, 0), (0.4, 0.4), (0.22, 1)), ((0.17, 0.52), (0.54, 0.48)),
    ),
    "8": (
        ((0.3, 0.46), (0.08, 0.3), (0.1, 0.08), (0.3, 0), (0.5, 0.08), (0.5, 0.29), (0.3, 0.46), (0.06, 0.64),
         (0.04, 0.88), (0.3, 1), (0.56, 0.88), (0.54, 0.64), (0.3, 0.46)),
    ),
    "9": (
        ((0.55, 0.28), (0.4, 0.46), (0.18, 0.48), (0.03, 0.34), (0.06, 0.1), (0.26, 0), (0.46, 0.06), (0.55, 0.26),
         (0.5, 0.6), (0.36, 0.85), (0.14, 1)),
    ),
    "10": (
        ((0, 0.2), (0.12, 0.12), (0.2, 0)), ((0.2, 0), (0.2, 0.5), (0.19, 1)),
        ((0.72, 0), (0.5, 0.2), (0.44, 0.55), (0.54, 0.9), (0.74, 1), (0.94, 0.86), (1, 0.48), (0.92, 0.14), (0.72, 0)),
    ),
    "J": (((0.16, 0.01), (0.6, 0)), ((0.42, 0), (0.43, 0.4), (0.42, 0.78), (0.3, 0.98), (0.1, 0.97), (0, 0.78))),
    "Q": (
        ((0.34, 0), (0.1, 0.16), (0.02, 0.5), (0.12, 0.84), (0.36, 0.95), (0.6, 0.82), (0.68, 0.48), (0.58, 0.13),
         (0.34, 0)),
        ((0.42, 0.68), (0.56, 0.84), (0.74, 1.02)),
    ),
    "K": (
        ((0.05, 0), (0.04, 0.5), (0.03, 1)), ((0.58, 0), (0.32, 0.3), (0.05, 0.56)),
        ((0.2, 0.44), (0.4, 0.7), (0.66, 1)),
    ),
}  # fmt: skip


@cache
def strokes(rank: str) -> tuple[Polyline, ...]:
    """The pen strokes of a rank, in a box around the origin that is 1 high."""
    smooth = [_through(line) for line in _STROKES[rank]]
    middle = max(x for line in smooth for x, _ in line) / 2
    return tuple(tuple((x - middle, y - 0.5) for x, y in line) for line in smooth)


def _through(points: Polyline) -> list[Point]:
    """A smooth line through the points (Catmull and Rom's splines)."""
    around = (points[0], *points, points[-1])
    line = [points[0]]
    for (ax, ay), (bx, by), (cx, cy), (dx, dy) in zip(around, around[1:], around[2:], around[3:], strict=False):
        leave, arrive = (bx + (cx - ax) / 6, by + (cy - ay) / 6), (cx - (dx - bx) / 6, cy - (dy - by) / 6)
        line += _bezier((bx, by), leave, arrive, (cx, cy))
    return line


def tremor(size: float, *names: str | int) -> Callable[[Point], Point]:
    """A smooth warp of a card (1 wide, 1.4 high) by about `size`: what meets before it meets after it."""
    stream = rng(0, "tremor", *names)
    waves = [(stream.uniform(4, 9), stream.uniform(4, 9), stream.uniform(0, math.tau)) for _ in range(4)]

    def warp(point: Point) -> Point:
        a, b, c, d = (math.sin(point[0] * fx + point[1] * fy + phase) for fx, fy, phase in waves)
        return point[0] + size * (a + b) / 2, point[1] + size * (c + d) / 2

    return warp
