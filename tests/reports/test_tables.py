"""Rows of tables, on synthetic runs."""

from typing import Any

import pytest

from shiftgym.evaluation.measures import MEASURES
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.runs import load_run
from shiftgym.reports.tables import rate_rows, reading_measures


@pytest.fixture(scope="module")
def analysis(make_run: Any) -> Analysis:
    return Analysis([load_run(make_run(problems=10, seeds=(0, 1), fractions=(1.0,), decodings=("greedy",)))])


@pytest.mark.parametrize(
    ("split", "absent"),
    [("id", {"whole", "per_step", "perseverated", "recognised"}), ("rule_ood", {"whole", "per_step", "recognised"})],
)
def test_key_numbers_have_a_column_for_every_measure_that_applies(
    analysis: Analysis, split: str, absent: set[str]
) -> None:
    _, cells = rate_rows(analysis, split)[0]
    views = ["greedy, one attempt", "greedy, 5 attempts"]
    rest = [each for name, each in MEASURES.items() if name not in {"success_1", "success", *absent}]
    assert [cell.head for cell in cells] == [*views, *[f"{each.label}, greedy" for each in rest]]
    assert all(cell.text != "n/a" for cell in cells)


def test_only_shares_are_in_percent(analysis: Analysis) -> None:
    entry, cells = rate_rows(analysis, "id")[0]
    found = {cell.head: cell.text for cell in cells}
    for name, factor, digits in (("valid", 100, 1), ("tokens", 1, 1), ("attempts", 1, 2)):
        value = analysis.rate(entry, "id", "greedy", name).value
        assert found[f"{MEASURES[name].label}, greedy"] == f"{factor * value:.{digits}f}"


def test_perseveration_is_read_under_another_rule_only(analysis: Analysis) -> None:
    assert [each.name for each in reading_measures(analysis, "id")] == ["translated"]
    assert [each.name for each in reading_measures(analysis, "rule_ood")] == ["translated", "perseverated"]
