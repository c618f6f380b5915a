"""Colours."""

from shiftgym.tasks.navigation.streetview.colours import hues, shaded


def test_colours_are_read_and_shaded():
    assert hues("000000 ff8001") == ((0, 0, 0), (255, 128, 1))
    assert shaded((100, 200, 0), 0.5) == (50, 100, 0)
    assert shaded((100, 200, 0), 1.5) == (150, 255, 0), "no band is above 255"
    assert shaded((7, 8, 9), 1.0) == (7, 8, 9)
