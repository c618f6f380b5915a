"""Rows of houses along streets."""

import math
from functools import partial

import pytest
from PIL import Image

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.streetview.camera import Camera
from shiftgym.tasks.navigation.streetview.houses import DEPTH, REACH, rows
from shiftgym.tasks.navigation.streetview.styles import STYLES
from shiftgym.tasks.navigation.streetview.view import lay_streets

STYLE = STYLES["london"]


def built(exits, seed=0):
    return list(rows(STYLE, lay_streets(exits, STYLE.ground), partial(rng, seed, "test")))


@pytest.mark.parametrize("exits", [(0, 180), (0, 90, 180, 270), (30,)])
def test_no_house_stands_in_the_street(exits):
    """The middle of every front keeps off the carriageway and the pavement; what closes a street is the exception."""
    half = STYLE.ground.half + STYLE.ground.side
    houses = [thing for thing in built(exits) if thing.distance < REACH - 1]
    assert len(houses) > 20
    for house in houses:
        x, y = house.at
        for bearing in exits:
            u, v = math.sin(math.radians(bearing)), math.cos(math.radians(bearing))
            if x * u + y * v > 0:
                assert abs(x * v - y * u) > half - 0.01
        assert house.reach > DEPTH


def test_both_sides_of_a_street_are_built_and_seen():
    houses = built((0, 180))
    assert {house.at[0] > 0 for house in houses if 10 < house.distance < 60} == {True, False}
    canvas = Image.new("RGB", (128, 128))
    camera = Camera(canvas, 0, STYLE.air)
    for house in sorted(houses, key=lambda it: -it.distance):
        house.paint(camera)
    left, _, right, _ = canvas.getbbox()
    assert (left, right) == (0, 128)


def test_another_street_moves_no_house_of_the_others():
    def behind(houses):
        return [house.at for house in houses if house.at[1] < -30 and abs(house.at[0]) < 20]

    assert behind(built((0, 180))) == behind(built((0, 45, 180)))
    assert behind(built((0, 180))) != behind(built((0, 180), seed=1))
