"""What is left out of a network: tiny segments, and points where a street hardly bends."""

from itertools import pairwise

from shiftgym.tasks.navigation.world.network import simplified


def test_a_segment_is_kept_once_whatever_its_directions_and_copies():
    points = {"a": (0, 0), "b": (100, 0), "c": (100, 100)}
    assert simplified(points, [("b", "a"), ("a", "b"), ("a", "b"), ("c", "b"), ("b", "b")]) == [("a", "b"), ("b", "c")]


def test_a_street_goes_on_over_two_points_at_one_place():
    """A city drops segments of under a metre; here they do not cut the street in two."""
    points = {"a": (0, 0), "b": (100, 0), "c": (100.3, 0.2), "d": (100.4, 100), "e": (200, 0)}
    streets = [("a", "b"), ("b", "c"), ("c", "d"), ("c", "e")]
    assert simplified(points, streets) == [("a", "b"), ("b", "d"), ("b", "e")]


def test_many_small_steps_do_not_shrink_to_a_point():
    steps = [f"p{number:02}" for number in range(31)]
    points = {step: (0.9 * number, 0.0) for number, step in enumerate(steps)} | {"up": (13.5, 50.0)}
    streets = [*pairwise(steps), ("p15", "up")]
    ends = {node for pair in simplified(points, streets) for node in pair}
    reach = [points[node][0] for node in ends if node != "up"]
    assert min(reach) <= 0.9 and max(reach) >= 26.1


def test_a_point_where_the_street_hardly_bends_is_left_out_unless_two_streets_would_become_one():
    points = {"a": (0, 0), "b": (100, 5), "c": (200, 0), "d": (300, 100)}
    assert simplified(points, [("a", "b"), ("b", "c")]) == [("a", "c")]
    assert simplified(points, [("a", "b"), ("b", "c"), ("a", "c")]) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert simplified(points, [("b", "c"), ("c", "d")]) == [("b", "c"), ("c", "d")]
