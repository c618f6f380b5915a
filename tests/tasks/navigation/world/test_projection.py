"""Degrees and metres."""

import math

import pytest

from shiftgym.tasks.navigation.world.projection import METRES_PER_DEGREE, middle, on_earth, project


def test_a_degree_of_latitude_is_as_long_everywhere_and_one_of_longitude_shrinks_with_the_cosine():
    assert project((11.0, 49.0), (11.0, 48.0)) == pytest.approx((0, METRES_PER_DEGREE))
    assert project((12.0, 60.0), (11.0, 60.0)) == pytest.approx((METRES_PER_DEGREE / 2, 0))


@pytest.mark.parametrize("west", [179.999, 11.0, -0.001, -179.9995])
def test_the_meridian_of_180_degrees_is_no_border(west):
    east = math.remainder(west + 0.002, 360)
    origin = middle([(west, -17.0), (east, -16.998)])
    (x, y), (to_x, to_y) = project((west, -17.0), origin), project((east, -16.998), origin)
    assert to_x - x == pytest.approx(0.002 * METRES_PER_DEGREE * math.cos(math.radians(-16.999)))
    assert to_y - y == pytest.approx(0.002 * METRES_PER_DEGREE)
    assert (x, y) == pytest.approx((-to_x, -to_y))


@pytest.mark.parametrize(
    "texts", [("x", "0"), ("", "0"), ("nan", "0"), ("0", "inf"), ("180.1", "0"), ("0", "-90.1"), ("11,5", "48")]
)
def test_what_is_no_place_on_earth_is_none(texts):
    assert on_earth(*texts) is None
    assert on_earth(" -180", "9e1") == (-180, 90)
