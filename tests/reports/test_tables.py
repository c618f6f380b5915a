"""The cells of the page's tables."""

import pytest

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.probed import PROBES, Column
from shiftgym.reports import tables, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import EARLY


def test_the_primary_table_has_a_verdict_on_every_entry(analysis: Analysis) -> None:
    rows = dict(tables.primary_rows(analysis, "rule_ood", analysis.entries))
    assert [entry.name for entry in rows] == [entry.name for entry in analysis.entries]
    assert {tuple(cell.head for cell in cells) for cells in rows.values()} == {("percent", "minus start", "minus PPO")}
    start, sft, ppo, early, *_ = analysis.entries
    assert early.name == EARLY
    assert [cell.text for cell in rows[start][1:]] == ["", ""]
    assert rows[ppo][2].text == ""
    for a, b, cell in ((sft, start, rows[sft][1]), (ppo, start, rows[ppo][1]), (early, ppo, rows[early][2])):
        found = analysis.judged(a, b, "rule_ood")
        assert found is not None
        assert (cell.text, cell.verdict) == (words.signed(found.interval.value), words.verdict(found))
        assert cell.sign == found.interval.sign
    assert (rows[sft][1].verdict, rows[sft][2].verdict) == ("fell", "below")


def test_secondary_tables_leave_the_primary_measure_out(analysis: Analysis) -> None:
    heads = [cell.head for cell in tables.rate_rows(analysis, "rule_ood")[0][1]]
    assert "sampled, one attempt" in heads
    assert "sampled, 5 attempts" not in heads
    _, _, cells = tables.change_rows(analysis, "rule_ood")[0]
    assert [cell.head for cell in cells][-2:] == ["perseveration, sampled", "perseveration, greedy"]
    # More use of the trained rule is no gain.
    assert [cell.sign for cell in cells][-2:] == [0, 0]


def test_perseveration_is_told_under_a_shift_only(analysis: Analysis) -> None:
    assert "perseveration, greedy" not in [cell.head for cell in tables.rate_rows(analysis, "id")[0][1]]


def test_the_gap_is_told_of_entries_that_learn_from_the_trained_split(analysis: Analysis) -> None:
    assert [entry.name for entry, _ in tables.gap_rows(analysis)] == [entry.name for entry in analysis.entries]


def test_only_shares_are_in_percent(analysis: Analysis) -> None:
    entry, cells = tables.rate_rows(analysis, "id")[0]
    found = {cell.head: cell.text for cell in cells}
    for name, factor, digits in (("valid", 100, 1), ("tokens", 1, 1), ("attempts", 1, 2)):
        value = analysis.rate(entry, "id", "greedy", name).value
        assert found[f"{MEASURES[name].label}, greedy"] == f"{factor * value:.{digits}f}"


def test_perseveration_is_read_under_another_rule_only(analysis: Analysis) -> None:
    assert [each.name for each in tables.reading_measures(analysis, "id")] == ["translated"]
    assert [each.name for each in tables.reading_measures(analysis, "rule_ood")] == ["translated", "perseverated"]


def test_a_divergence_that_is_not_defined_is_told_from_a_measure_that_does_not_apply(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {Column(PROBES[name], name): None for name in ("kl_to_start", "kl_from_start", "retained")}
    monkeypatch.setattr(Analysis, "probed", lambda *_: nothing)
    _, cells = tables.probe_rows(analysis, "id")[0]
    assert [cell.text for cell in cells] == ["not available", "not available", "n/a"]
