"""Rules are data: a name in a study file."""

import random

import pytest
from pydantic import ValidationError

from shiftgym.errors import ConfigError
from shiftgym.tasks.points import PointsSetting
from shiftgym.tasks.points.rules import Rule, draw_rule, fixed_rule


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("faces_as_ten", (10, 10, 10)),
        ("faces_as_11_12_13", (11, 12, 13)),
        ("faces_as_5", (5, 5, 5)),
        ("faces_as_7", (7, 7, 7)),
        ("faces_as_12", (12, 12, 12)),
        ("faces_as_13_11_12", (13, 11, 12)),
        ("faces_as_99_1_10", (99, 1, 10)),
    ],
)
def test_fixed_rules(name, values):
    rule = fixed_rule(name)
    assert rule.values(("J", "Q", "K")) == values
    assert rule.values(("A", "2", "9", "10")) == (1, 2, 9, 10)
    assert all(str(value) in rule.sentence for value in values)


@pytest.mark.parametrize(
    "name", ["", "ten", "faces_as_", "faces_as_0", "faces_as_100", "faces_as_1_2", "faces_as_eleven"]
)
def test_an_unknown_rule_is_answered_with_the_known_ones(name):
    with pytest.raises(ConfigError, match="faces_as_ten"):
        fixed_rule(name)
    with pytest.raises(ValidationError, match="unknown rule"):
        PointsSetting(rule=name)


def test_drawn_rules_never_draw_the_papers_shift():
    for name, least in (("shuffled", 5), ("random", 500)):
        drawn = {draw_rule(name, random.Random(seed)) for seed in range(5000)}
        assert Rule(11, 12, 13) not in drawn
        assert len(drawn) >= least
        assert fixed_rule(name) is None
    assert {tuple(sorted(draw_rule("shuffled", random.Random(s)).values(("J", "Q", "K")))) for s in range(99)} == {
        (11, 12, 13)
    }
