"""Rows to means and shares, on rows small enough to count by hand."""

from typing import Any

import pytest

from shiftgym.evaluation.rows import read_rows
from shiftgym.evaluation.summaries import pool, pool_success, summarise


def test_means_and_shares_are_those_counted_by_hand(hand: Any) -> None:
    rows = [
        hand.row(problem=0),
        hand.failed("wrong_value", "correct", problem=1, translated=0.0, perseverated=1.0, tokens=20),
        hand.failed("illegal", "wrong_value", problem=2, valid=0.0, style="none", translated=None, tokens=30),
        hand.failed("wrong_value", "wrong_value", problem=3, perseverated=0.0, tokens=20),
        hand.row(problem=0, split="rule_ood"),
    ]
    home, away = summarise(hand.read(*rows))
    assert (home.split, away.split, home.problems, away.problems) == ("id", "rule_ood", 4, 1)
    counted = {"success_1": 0.25, "success": 0.5, "valid": 0.75, "tokens": 20}
    assert {name: home.means[name] for name in counted} == counted
    assert home.means["translated"] == pytest.approx(2 / 3)
    assert home.means["perseverated"] == 0.5
    assert away.means["perseverated"] is None
    assert home.first == {"correct": 0.25, "wrong_value": 0.5, "illegal": 0.25}
    assert home.final == {"correct": 0.5, "wrong_value": 0.5}
    assert home.styles == {"worked": 0.75, "none": 0.25}
    assert home.style_success == {"worked": pytest.approx(1 / 3), "none": 0}


def test_shares_are_of_decisions_and_kinds_are_told_apart(hand: Any) -> None:
    route = [
        hand.decision("correct", kinds=("turn", "by compass")),
        hand.decision("wrong_action", "correct", kinds=("turn", "by landmark")),
        hand.decision("correct", kinds=("forward",)),
        hand.decision("wrong_action", "wrong_action", kinds=("forward",)),
    ]
    rows = [hand.row(decisions=route, success_1=0.5, success=0.75, whole=0.0), hand.row(problem=1)]
    (of,) = summarise(hand.read(*rows))
    assert (of.problems, of.decisions) == (2, 5)
    assert [of.means[name] for name in ("success_1", "success", "whole")] == [0.75, 0.875, 0.5]
    assert of.first == {"correct": pytest.approx(0.6), "wrong_action": pytest.approx(0.4)}
    assert of.final == {"correct": pytest.approx(0.8), "wrong_action": pytest.approx(0.2)}
    assert of.kinds == {name: pytest.approx(share) for name, share in [
        ("turn", 0.4), ("by compass", 0.2), ("by landmark", 0.2), ("forward", 0.4)]}  # fmt: skip
    assert of.kind_success == {"turn": 0.5, "by compass": 1, "by landmark": 0, "forward": 0.5}
    assert pool_success([of, of], "kinds", "kind_success", "turn") == 0.5


def test_pooling_weighs_evaluations_by_their_problems(hand: Any) -> None:
    rows = [
        hand.row(seed=0),
        hand.failed("illegal", seed=1, problem=0),
        hand.failed("illegal", seed=1, problem=1),
        hand.row(seed=1, problem=2),
    ]
    summaries = summarise(hand.read(*rows))
    assert pool(summaries, "first") == {"correct": pytest.approx(0.5), "illegal": pytest.approx(0.5)}
    assert pool_success(summaries, "styles", "style_success", "worked") == pytest.approx(0.5)


def test_no_rows_have_no_summary() -> None:
    assert summarise(read_rows([])) == []
