"""The geometry of a card's marks."""

import math

import pytest

from shiftgym.tasks.points.deck import RANKS
from shiftgym.tasks.points.shapes import outline, strokes, tremor


@pytest.mark.parametrize("suit", "SCHD")
def test_an_outline_is_symmetric_and_fills_its_square(suit):
    points = outline(suit)
    assert {(round(-x, 9), round(y, 9)) for x, y in points} == {(round(x, 9), round(y, 9)) for x, y in points}
    assert max(abs(value) for point in points for value in point) == pytest.approx(0.5, abs=0.01)
    assert max(math.dist(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)) < 0.3


def test_outlines_differ():
    assert len({outline(suit) for suit in "SCHD"}) == 4


@pytest.mark.parametrize("rank", RANKS)
def test_strokes_are_centred_and_one_high(rank):
    points = [point for stroke in strokes(rank) for point in stroke]
    xs, ys = zip(*points, strict=True)
    assert max(ys) - min(ys) == pytest.approx(1.0, abs=0.1)
    assert abs(max(ys) + min(ys)) < 0.1
    assert max(xs) == pytest.approx(-min(xs), abs=0.1)


def test_a_tremor_is_small_and_is_named():
    grid = [(x / 10, y / 10) for x in range(11) for y in range(15)]
    warp, again, other = tremor(0.02, "A", "S", 0), tremor(0.02, "A", "S", 0), tremor(0.02, "A", "S", 1)
    assert [warp(point) for point in grid] == [again(point) for point in grid] != [other(point) for point in grid]
    assert 0.002 < max(math.dist(point, warp(point)) for point in grid) <= 0.02 * math.sqrt(2)
    assert [tremor(0.0, "A")(point) for point in grid] == grid
