"""Names in drawings do not cover one another."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from shiftgym.reports.labels import LONGEST, label_colour, label_ends, label_points, room, short


def test_names_at_the_ends_of_lines_are_pushed_apart() -> None:
    axes = Figure().add_axes((0, 0, 1, 1))
    axes.set_ylim(0, 100)
    label_ends(axes, [(1.0, y, name, "#000000", True) for name, y in (("a", 99.0), ("b", 98.0), ("c", 0.0))])
    places = {text.get_text(): text.xyann[1] for text in axes.texts}  # type: ignore[attr-defined]
    assert places["a"] - places["b"] >= 8.5
    assert places["a"] <= 100
    assert places["c"] == 0
    label_ends(axes, [])


def test_many_names_all_stand_beside_the_axes() -> None:
    axes = Figure().add_axes((0, 0, 1, 1))
    label_ends(axes, [(1.0, 50.0, str(number), "#000000", False) for number in range(17)])
    heights = [text.xyann[1] for text in axes.texts]  # type: ignore[attr-defined]
    assert heights[0] >= 0 and heights[-1] == 100
    assert min(np.diff(heights)) > 5.5


def test_names_beside_points_are_pushed_apart() -> None:
    axes = Figure().add_axes((0, 0, 1, 1))
    axes.set_ylim(0, 100)
    label_points(axes, [(1.0, 50.0, "a", "#000000", True, 0.0), (1.0, 50.0, "b", "#000000", False, 0.0)], 2.9)
    first, second = axes.texts
    assert first.xyann[1] - second.xyann[1] == pytest.approx(10)  # type: ignore[attr-defined]


def test_a_label_can_be_read_on_its_fill() -> None:
    assert (label_colour("#ffffff"), label_colour("#1f8062")) == ("#000000", "#ffffff")


def test_a_long_label_is_cut_off_so_that_axes_have_room() -> None:
    assert short("SFT, diverse rules") == "SFT, diverse rules"
    assert short("x" * 200) == "x" * (LONGEST - 1) + "…"
    assert room(["x" * 200, "y"]) == room(["x" * LONGEST]) > room(["y"]) > room([]) == 0
