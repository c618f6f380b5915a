"""Intervals against closed forms and known behaviour."""

import math

import numpy as np
import pytest
from scipy import stats

from shiftgym.evaluation import statistics
from shiftgym.evaluation.statistics import difference, estimate, first_reaching, wilson


def test_wilson_is_the_closed_form() -> None:
    z = stats.norm.ppf(0.975)
    successes, n = 37, 128
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = wilson(successes, n)
    assert (found.value, found.low, found.high) == pytest.approx((p, centre - half, centre + half))


@pytest.mark.parametrize("trials", [1, 7, 32, 129])
def test_wilson_is_that_of_scipy_to_the_last_bit(trials: int) -> None:
    for successes in range(trials + 1):
        found = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        assert (wilson(successes, trials).low, wilson(successes, trials).high) == (found.low, found.high)


@pytest.mark.parametrize("backbones", [(0, 0, 0), (0, 0, 0, 1, 1)])
def test_where_a_measure_applies_to_all_the_draws_are_the_same_to_the_last_bit(backbones: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).random((len(backbones), 13)).astype(np.float32)
    clusters, problems = statistics._draws(backbones, 13, 5)
    top = ((values.astype(float) @ problems) * clusters).sum(axis=0)
    under = ((np.ones_like(values, float) @ problems) * clusters).sum(axis=0)
    assert (statistics._resampled_means(values, backbones, 5) == top / under).all()


@pytest.mark.parametrize("successes", [0, 10])
def test_wilson_at_the_ends_stays_within_zero_and_one(successes: int) -> None:
    found = wilson(successes, 10)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_with_one_seed_a_rate_has_wilson_s_interval() -> None:
    values = np.array([[1, 0, 1, np.nan, 1]])
    found, expected = estimate(values, [0], seed=0), wilson(3, 4)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)


def test_paired_difference_of_one_seed_has_the_spread_of_the_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 1, 400)) < [[[0.7]], [[0.5]]]).astype(float)
    found = difference(a, b, [0], seed=0)
    pairs = (a - b)[0]
    half = stats.norm.ppf(0.975) * pairs.std() / math.sqrt(len(pairs))
    assert found.value == pytest.approx(pairs.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.06)


def test_pairing_takes_the_difficulty_of_problems_out() -> None:
    hard = np.tile([0.0, 1.0], (3, 50))
    better = np.maximum(hard, np.arange(100) == 0)
    found = difference(better, hard, [0, 0, 0], seed=0)
    assert found.value == pytest.approx(0.01)
    assert found.high - found.low < 0.05
    assert estimate(hard, [0, 0, 0], seed=0).high - estimate(hard, [0, 0, 0], seed=0).low > 0.15


def test_spread_between_seeds_is_that_of_their_mean() -> None:
    """Problems all alike: drawing n - 1 of n seeds gives the mean's standard error without bias."""
    rates = np.array([0.2, 0.4, 0.5, 0.9, 0.3, 0.7])
    values = np.repeat(rates[:, None], 10, axis=1)
    found = estimate(values, [0] * 6, seed=0)
    half = stats.norm.ppf(0.975) * rates.std(ddof=1) / math.sqrt(6)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert found.each == pytest.approx(tuple(rates))


def test_backbones_are_drawn_before_their_seeds() -> None:
    values = np.repeat([[0.2], [0.2], [0.2], [0.8], [0.8], [0.8]], 50, axis=1)
    one, two = estimate(values, [0] * 6, seed=0), estimate(values, [0, 0, 0, 1, 1, 1], seed=0)
    assert (two.low, two.high) == pytest.approx((0.2, 0.8))
    assert two.low < one.low < one.high < two.high


def test_identical_branches_differ_by_exactly_zero() -> None:
    values = np.random.default_rng(1).integers(0, 2, (3, 40)).astype(float)
    found = difference(values, values, [0, 0, 0], seed=0)
    assert (found.value, found.low, found.high, found.sign) == (0, 0, 0, 0)


def test_answers_to_which_a_measure_does_not_apply_count_neither_way() -> None:
    values = np.array([[1.0, np.nan, 0.0, 1.0], [np.nan, np.nan, 1.0, 1.0]])
    found = estimate(values, [0, 0], seed=0)
    assert found.value == pytest.approx(4 / 5)
    assert found.each == pytest.approx((2 / 3, 1))


def test_intervals_repeat_and_follow_the_seed() -> None:
    values = np.random.default_rng(1).integers(0, 2, (3, 40)).astype(float)
    assert estimate(values, [0, 0, 0], seed=0) == estimate(values, [0, 0, 0], seed=0)
    assert estimate(values, [0, 0, 0], seed=0) != estimate(values, [0, 0, 0], seed=1)


def test_intervals_of_a_difference_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(150):
        ease = rng.normal(0, 1.5, 60)
        rates_a, rates_b = (1 / (1 + np.exp(-(ease + shift))) for shift in (0.6, 0.0))
        a, b = (rng.random((3, 60)) < rates for rates in (rates_a, rates_b))
        found = difference(a.astype(float), b.astype(float), [0, 0, 0], seed=0)
        held += found.low <= (rates_a - rates_b).mean() <= found.high
    assert held / 150 > 0.92


def test_unequal_shapes_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot pair"):
        difference(np.zeros((2, 3)), np.zeros((3, 3)), [0, 0], seed=0)


@pytest.mark.parametrize(("target", "index"), [(0.5, 1), (0.6, 1), (0.61, 2), (0.95, 2), (0.0, 0)])
def test_stopping_early_takes_the_first_checkpoint_at_the_target_or_else_the_best(target: float, index: int) -> None:
    assert first_reaching([0.4, 0.6, 0.9, 0.7], target) == index


def test_clusters_share_a_backbone_unless_told_otherwise() -> None:
    values, others = (np.random.default_rng(seed).random((3, 20)) for seed in (1, 2))
    assert estimate(values) == estimate(values, [0, 0, 0], seed=0)
    assert difference(values, others) == difference(values, others, [0, 0, 0], seed=0)
