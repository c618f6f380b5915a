import itertools
import json
import math

import pytest

from shiftgym.following.curves import POINTS, Curve, ordered


def curve(steps, **columns):
    found = Curve()
    for step in range(1, steps + 1):
        found.add({"step": step, **{name: value(step) for name, value in columns.items()}})
    return found


@pytest.mark.parametrize("steps", [1, 2, POINTS - 1, POINTS, POINTS + 1, 2 * POINTS, 10_000])
def test_a_curve_has_its_ends_and_even_steps_between(steps):
    found = curve(steps, reward=float).columns()
    shown = found["step"]
    assert (shown[0], shown[-1]) == (1, steps)
    assert len(shown) <= POINTS
    assert len(shown) == steps or len(shown) > POINTS / 2 - 1
    strides = {b - a for a, b in itertools.pairwise(shown[:-1])}
    assert len(strides) <= 1
    assert found["reward"] == shown


def test_what_is_kept_does_not_depend_on_when_it_was_looked_at():
    looked, not_looked = Curve(), Curve()
    for step in range(1, 1000):
        for each in (looked, not_looked):
            each.add({"step": step, "loss": 1 / step})
        if step % 70 == 0:
            looked.columns()
    assert looked.columns() == not_looked.columns()


def test_tokens_a_second_are_those_of_each_step():
    found = Curve()
    for step, trained, generated, learn in ((1, 100, 20, 1.0), (2, 200, 40, 2.0)):
        found.add(
            {"step": step, "tokens_trained": trained, "tokens_generated": generated, "collect": 1, "learn": learn}
        )
    assert found.columns() == {"step": [1, 2], "tokens_per_second": [60.0, 40.0]}


def test_a_value_that_is_missing_or_not_finite_is_none():
    found = Curve()
    found.add({"step": 1, "loss": math.nan, "note": "no number", "flag": True})
    found.add({"step": 2, "loss": math.inf})
    found.add({"step": 3, "kl": 0.123456789})
    assert found.columns() == {"step": [1, 2, 3], "kl": [None, None, 0.12346], "loss": [None, None, None]}
    json.dumps(found.columns(), allow_nan=False)


def test_a_column_that_only_the_last_step_has_is_there():
    found = curve(2 * POINTS + 2, reward=float)
    found.add({"step": 2 * POINTS + 3, "margin": 1.0})
    found.add({"step": 2 * POINTS + 4, "preferred": 1.0})
    columns = found.columns()
    assert {len(values) for values in columns.values()} == {len(columns["step"])}
    assert columns["preferred"][-1] == 1.0 and columns["reward"][-1] is None


def test_no_steps_have_no_columns():
    assert Curve().columns() == {}


def test_what_a_recipe_adds_comes_last():
    assert ordered({"a_of_mine", "kl", "step", "reward"}) == ["step", "reward", "kl", "a_of_mine"]
