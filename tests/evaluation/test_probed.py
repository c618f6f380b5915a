"""Measures of memorisation and forgetting, on cases counted by hand."""

from dataclasses import replace

import pytest

from shiftgym.evaluation.probed import PROBES, Probed, columns, local_inconsistency, measure_probed, pass_at, retention


def test_pass_at_k_is_the_chance_of_drawing_a_right_one() -> None:
    assert pass_at(10, 3, 1) == pytest.approx(0.3)
    assert pass_at(4, 2, 2) == pytest.approx(5 / 6)
    assert pass_at(64, 0, 64) == 0
    assert pass_at(64, 1, 64) == 1
    assert pass_at(5, 3, 3) == 1, "three drawn of five cannot all be among two"


def test_what_is_solved_but_not_when_changed_is_memorised() -> None:
    # Accuracy 3/4, of the solved two thirds hold: 3/4 (1 - 2/3).
    assert local_inconsistency([True, True, True, False], [True, True, False, True]) == pytest.approx(0.25)
    assert local_inconsistency([False, False], [True, False]) == 0


def test_what_was_solved_before_and_is_still_is_retained() -> None:
    assert retention([True, True, True, True, False], [True, False, True, True, True]) == pytest.approx(0.75)
    assert retention([False, False], [True, False]) is None


PROBED = Probed(
    kl_to_start=1.5,
    kl_from_start=2.5,
    samples=4,
    right=[0, 4],
    before=[True, False],
    now=[False, True],
    changed={"reordered": [True, False]},
    copied=[True, False],
)


def test_a_row_holds_every_measure_of_the_table() -> None:
    row = measure_probed(PROBED)
    assert list(row) == list(PROBES)
    assert row == {
        "kl_to_start": 1.5,
        "kl_from_start": 2.5,
        "pass_at": {"1": 0.5, "2": 0.5, "4": 0.5},
        "retained": 0,
        "copied": 0.5,
        "memorised": {"reordered": 0.5},
    }


def test_a_report_has_a_column_for_every_variant() -> None:
    found = {column.head: (column.measure.name, value) for column, value in columns(measure_probed(PROBED)).items()}
    assert found["pass@4"] == ("pass_at", 0.5)
    assert found["memorised: reordered"] == ("memorised", 0.5)
    assert found["KL(policy ‖ start), nats"] == ("kl_to_start", 1.5)
    assert len(found) == 8


def test_a_divergence_that_is_not_defined_keeps_its_column() -> None:
    row = measure_probed(replace(PROBED, kl_to_start=None))
    assert row["kl_to_start"] is None
    assert [*columns(row)] == [*columns(measure_probed(PROBED))]
