import math

import pytest

from shiftgym.training.advantages import (
    explained_variance,
    generalised,
    group_normalised,
    leave_one_out,
    less_attempt_mean,
    scaled,
)


def test_gae_of_a_case_worked_by_hand() -> None:
    # d2 = 5 - 0.5 = 4.5; d1 = -1 + 0.9 * 0.5 - 0.2 = -0.75; d0 = -2 + 0.9 * 0.2 - 0.1 = -1.92; each carries 0.9 * 0.8.
    estimates = generalised([-2, -1, 5], [0.1, 0.2, 0.5], gamma=0.9, lam=0.8)
    assert estimates == pytest.approx([-1.92 + 0.72 * (-0.75 + 0.72 * 4.5), -0.75 + 0.72 * 4.5, 4.5])


def test_gae_ends_with_the_episode() -> None:
    """The last turn sees its own reward only, whatever its value says of the future."""
    assert generalised([-2.0], [0.0], 1.0, 0.95) == [-2.0]
    assert generalised([-1.0, -2.0], [0.0, 3.0], 1.0, 0.95)[-1] == -5.0


def test_without_discount_the_estimate_is_return_less_value() -> None:
    assert generalised([-1, -1, 5], [0.5, 0.2, 0.1], 1.0, 1.0) == pytest.approx([2.5, 3.8, 4.9])


def test_each_turn_number_averages_to_zero() -> None:
    result = less_attempt_mean([1.0, 3.0, -5.0, -7.0, 2.0], [0, 0, 1, 1, 2])
    assert result == [-1.0, 1.0, 1.0, -1.0, 0.0]


def test_scaling_gives_unit_deviation_and_survives_a_constant() -> None:
    values = scaled([1.0, -1.0, 3.0, -3.0])
    assert math.fsum(v * v for v in values) / 4 == pytest.approx(1.0, abs=1e-4)
    assert scaled([0.0, 0.0]) == [0.0, 0.0]


def test_leave_one_out_is_the_closed_form() -> None:
    returns = [4.0, -2.0, -2.0, 1.0]
    expected = [4 - (-3) / 3, -2 - 3 / 3, -2 - 3 / 3, 1 - 0 / 3]
    assert leave_one_out(returns) == pytest.approx(expected)
    assert sum(leave_one_out(returns)) == pytest.approx(0.0)


def test_group_normalised_is_the_closed_form() -> None:
    assert group_normalised([1.0, 3.0]) == pytest.approx([-1.0, 1.0], abs=1e-5)
    assert group_normalised([2.0, 2.0, 2.0]) == [0.0, 0.0, 0.0]


def test_explained_variance() -> None:
    assert explained_variance([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0
    assert explained_variance([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]) == 0.0
    assert explained_variance([0.0, 1.0], [2.0, 2.0]) == 0.0
