"""Headings, turns and their words."""

import pytest

from shiftgym.tasks.navigation.directions import (
    COMPASS,
    RELATIVE,
    SPATIAL,
    bearing,
    compass_word,
    is_clear_turn,
    sector,
    spatial_word,
    turn_angle,
    turn_words,
)
from shiftgym.tasks.navigation.rules import SPACES


@pytest.mark.parametrize(
    ("current", "following", "angle", "words"),
    [
        (350, 10, 20, {"slightly right"}),
        (10, 350, -20, {"slightly left"}),
        (29, 299, -90, {"left"}),
        (299, 29, 90, {"right"}),
        (0, 45, 45, {"slightly right"}),
        (0, 315, -45, {"slightly left"}),
        (0, 45.1, 45.1, {"right"}),
        (90, 90, 0, {"slightly left", "slightly right"}),
        (90, 270, -180, {"left", "right"}),
        (270, 90, -180, {"left", "right"}),
        (1, 180, 179, {"right"}),
        (1, 182, -179, {"left"}),
    ],
)
def test_turns_are_wrapped_and_signed(current, following, angle, words):
    assert turn_angle(current, following) == pytest.approx(angle)
    assert {RELATIVE[place] for place in turn_words(current, following)} == words
    assert set(SPACES["relative"].right_words(current, following)) == words


def test_every_pair_of_headings_turns_to_where_it_should():
    for current in range(0, 360, 3):
        for following in range(0, 360, 7):
            angle = turn_angle(current, following)
            assert -180 <= angle < 180
            assert (current + angle) % 360 == following
            assert SPACES["absolute"].right_words(current, following) == (compass_word(following),)
            for place in turn_words(current, following):
                assert ("slightly" in RELATIVE[place]) == (abs(angle) <= 45)
                assert abs(angle) in (0, 180) or RELATIVE[place].endswith("right" if angle > 0 else "left")


def test_words_are_of_the_nearest_sector():
    for place in range(8):
        for offset in (-22.5, -10, 0, 10, 22.4):
            assert compass_word((45 * place + offset) % 360) == COMPASS[place]
            assert spatial_word(123, (123 + 45 * place + offset) % 360) == SPATIAL[place]
    assert compass_word(337.5) == compass_word(360) == compass_word(0) == "north"


def test_bearings_are_clockwise_from_north():
    assert [bearing(5, 5, 5 + x, 5 + y) for x, y in ((0, 1), (1, 1), (1, 0), (0, -1), (-1, 0))] == [0, 45, 90, 180, 270]


def test_clear_turns_are_told_by_words_alone():
    """From the compass words before and after, the relative word follows, and the other way round."""
    relative_of, compass_of = {}, {}
    for current in range(360):
        for following in range(360):
            if is_clear_turn(current, following):
                angle = abs(turn_angle(current, following))
                assert 20 <= angle <= 160
                (place,) = turn_words(current, following)
                assert relative_of.setdefault((sector(current), sector(following)), place) == place
                assert compass_of.setdefault((sector(current), place), sector(following)) == sector(following)
    assert len(relative_of) == 8 * 4


def test_borders_are_exact_for_headings_in_tenths():
    for tenths in range(3600):
        heading = tenths / 10
        for turn, words in ((0, {2, 3}), (1800, {0, 1}), (450, {3}), (-450, {2}), (451, {1}), (-451, {0})):
            following = (tenths + turn) % 3600 / 10
            assert turn_angle(heading, following) == (turn / 10 if turn < 1800 else -180)
            assert set(turn_words(heading, following)) == words
