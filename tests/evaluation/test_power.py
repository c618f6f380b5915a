"""Planned and measured power, against closed forms and simulated rows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shiftgym.evaluation.power import (
    PLANNED,
    POWER,
    Spreads,
    detectable_difference,
    detected_difference,
    spreads,
)
from shiftgym.evaluation.statistics import difference

HALF, TAIL = 1.959964, 0.841621
"""Normal quantiles of 97.5 % and 80 %."""
Z = HALF + TAIL


def simulated(
    rng: np.random.Generator, of: Spreads, seeds: int, problems: int, true: float, studies: int = 1
) -> NDArray[np.float64]:
    """(studies, seeds, problems) differences with these spreads around a true difference."""
    return (
        true
        + rng.normal(0, of.seeds, (studies, seeds, 1))
        + rng.normal(0, of.problems, (studies, 1, problems))
        + rng.normal(0, of.answers, (studies, seeds, problems))
    )


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (Spreads(0.05, 0, 0), Z * 0.05 / 5**0.5),
        (Spreads(0, 0.3, 0), Z * 0.3 / 128**0.5),
        # The crossed bootstrap counts the noise of answers three times.
        (Spreads(0, 0, 0.7), (HALF * 3**0.5 + TAIL) * 0.7 / (5 * 128 * 4) ** 0.5),
    ],
)
def test_the_detectable_difference_is_the_closed_form(of: Spreads, expected: float) -> None:
    assert detectable_difference(5, 128, 4, of) == pytest.approx(expected, rel=1e-5)


def test_more_seeds_problems_or_answers_tell_smaller_differences() -> None:
    base = detectable_difference(3, 64, 1)
    assert all(detectable_difference(*more) < base for more in ((5, 64, 1), (3, 128, 1), (3, 64, 4)))
    # Answers do not lessen how much seeds and problems differ.
    assert detectable_difference(3, 64, 10**9) == pytest.approx(
        Z * (PLANNED.seeds**2 / 3 + PLANNED.problems**2 / 64) ** 0.5, rel=1e-4
    )


@pytest.mark.parametrize(
    ("seeds", "of"),
    [
        (1, Spreads(0, 0.25, 0.7)),
        (3, Spreads(0.04, 0.25, 0.6)),
        (5, Spreads(0.06, 0.25, 0.2)),
    ],
)
def test_a_difference_of_this_size_is_found_in_eighty_of_a_hundred_studies(seeds: int, of: Spreads) -> None:
    """By the very interval that reports decide by."""
    true = detectable_difference(seeds, 64, 1, of)
    studies = simulated(np.random.default_rng(0), of, seeds, 64, true, 200)
    found = [difference(study, np.zeros_like(study), [0] * seeds, seed=0).low > 0 for study in studies]
    assert np.mean(found) == pytest.approx(POWER, abs=0.08)


def test_simulated_rows_give_their_spreads_back() -> None:
    rng, of = np.random.default_rng(1), Spreads(0.05, 0.25, 0.4)
    half = simulated(rng, Spreads(0, 0.3, 0), 6, 100, 0.5, 300)
    studies = simulated(rng, of, 6, 100, 0.1, 300)
    variances = np.mean(
        [
            [found.seeds**2, found.problems**2, found.answers**2]
            for found in (spreads(both + study, both) for both, study in zip(half, studies, strict=True))
        ],
        axis=0,
    )
    assert np.sqrt(variances) == pytest.approx([of.seeds, of.problems, of.answers], rel=0.04)


def test_spreads_of_a_table_counted_by_hand() -> None:
    # Seed effects -1 and 1, problem effects -2, 0 and 2, and nothing else.
    a = np.array([[-3.0, -1.0, 1.0], [-1.0, 1.0, 3.0]])
    found = spreads(a, np.zeros_like(a))
    assert (found.seeds, found.problems, found.answers) == pytest.approx((2**0.5, 2, 0))
    # Nothing but interaction leaves nothing to seeds and problems.
    crossed = spreads(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros((2, 2)))
    assert (crossed.seeds, crossed.problems, crossed.answers) == pytest.approx((0, 0, 2))


def test_one_seed_says_nothing_of_seeds() -> None:
    values = np.array([[0.0, 1.0, 1.0, 0.0]])
    found = spreads(values, np.zeros((1, 4)))
    assert (found.seeds, found.answers) == (0, 0)
    assert detected_difference(values, np.zeros((1, 4))) == pytest.approx(Z * values.std(ddof=1) / 2, rel=1e-5)


def test_what_is_missing_is_left_out() -> None:
    values = np.array([[0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    gaps = np.array([[*values[0], np.nan], [*values[1], 1.0], [np.nan] * 5])
    whole = detected_difference(values, np.zeros_like(values))
    assert detected_difference(gaps, np.zeros_like(gaps)) == whole
    assert detected_difference(np.full((2, 3), np.nan), np.zeros((2, 3))) is None
