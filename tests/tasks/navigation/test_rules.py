"""Action spaces."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.seeds import rng
from shiftgym.tasks.navigation.rules import DRAWN, SPACES, draw_rule, known_rule


def test_spaces_are_the_papers_and_more():
    assert SPACES["absolute"].words == (
        "north",
        "northeast",
        "east",
        "southeast",
        "south",
        "southwest",
        "west",
        "northwest",
    )
    assert set(SPACES["relative"].words) == {"left", "right", "slightly left", "slightly right"}
    for name, like in (("bearing", "absolute"), ("angle", "relative")):
        for current, following in ((29, 119), (350, 10), (10, 350), (100, 40)):
            (word,) = SPACES[name].right_words(current, following)
            (twin,) = SPACES[like].right_words(current, following)
            assert SPACES[name].words.index(word) == SPACES[like].words.index(twin)


def test_random_rules_are_never_the_shifted_one():
    assert {draw_rule("random", rng(0, "test", index)) for index in range(60)} == set(DRAWN)
    assert "relative" not in DRAWN
    assert draw_rule("relative", rng(0, "test")) == "relative"
    with pytest.raises(ConfigError, match="did you mean 'absolute'"):
        known_rule("absolut")
