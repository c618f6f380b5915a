"""What stands and drives in streets."""

import math

import pytest
from PIL import Image

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.streetview.camera import Camera
from shiftgym.tasks.navigation.streetview.furniture import (
    SHAPES,
    Street,
    lamp,
    name_pole,
    small_thing,
    traffic_light,
    tree,
    vehicle,
)
from shiftgym.tasks.navigation.streetview.style import Vehicle
from shiftgym.tasks.navigation.streetview.styles import STYLES

FURNITURE = STYLES["new_york"].furniture
AHEAD, ALONG = (1.0, 12.0), (0.0, 1.0)
THINGS = {
    **{kind: vehicle(Vehicle(kind, (200, 30, 30), (30, 30, 200)), AHEAD, ALONG) for kind in SHAPES},
    "tree": tree(FURNITURE, AHEAD, rng(0, "test")),
    "lamp": lamp(FURNITURE, AHEAD, (-1.0, 0.0)),
    "traffic light": traffic_light((90, 90, 90), AHEAD, 0),
    "name pole": name_pole((20, 100, 60), (90, 90, 90), AHEAD, ALONG),
    **{kind: small_thing(kind, (200, 30, 30), AHEAD, ALONG) for kind in ("hydrant", "box", "bin", "booth", "parasol")},
}


def painted(thing, quarter):
    """The box that a thing covers in one view."""
    canvas = Image.new("RGB", (128, 128))
    thing.paint(Camera(canvas, quarter, STYLES["new_york"].air))
    return canvas.getbbox()


@pytest.mark.parametrize("name", THINGS)
def test_a_thing_ahead_is_seen_ahead_and_not_behind(name):
    thing = THINGS[name]
    assert thing.distance == pytest.approx(math.hypot(*AHEAD))
    left, top, right, bottom = painted(thing, 0)
    assert right > 64 and bottom > top and right > left
    assert painted(thing, 2) is None


def test_a_street_lamp_is_higher_than_a_hydrant_and_a_tree_is_no_palm():
    assert painted(THINGS["lamp"], 0)[1] < painted(THINGS["hydrant"], 0)[1]
    palm = tree(STYLES["lagos"].furniture, AHEAD, rng(0, "test"))
    assert painted(palm, 0) != painted(THINGS["tree"], 0)


def test_spots_lie_along_a_street_and_to_its_right():
    east = Street(90, (1.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    assert east.spot(10.0, 0.0) == (10.0, 0.0)
    assert east.spot(10.0, 3.0) == (10.0, -3.0), "who faces east has south to the right"
