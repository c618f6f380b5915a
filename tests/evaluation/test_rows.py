"""Rows to measures and to arrays, on rows small enough to count by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shiftgym.errors import DataError
from shiftgym.evaluation.metrics import Cube, measure, pool, pool_success, read_rows


def row(**changes: Any) -> dict[str, Any]:
    return {
        "branch": "sft", "seed": 0, "step": 4, "fraction": 1.0, "flops": 10.0, "flops_paper": 8.0, "split": "id",
        "decoding": "greedy", "problem": 0, "success_1": 1.0, "success": 1.0, "whole": 1.0, "per_step": 1.0,
        "attempts": 1, "reward": 5.0, "valid": 1.0, "translated": 1.0, "perseverated": None, "tokens": 10.0,
        "decisions": [decision("correct")],
    } | changes  # fmt: skip


def decision(*outcomes: str, style: str = "worked", kinds: tuple[str, ...] = ()) -> dict[str, Any]:
    right = len(outcomes) if outcomes[-1] == "correct" else 0
    return {"outcomes": list(outcomes), "right": right, "style": style, "kinds": list(kinds)}


def failed(*outcomes: str, style: str = "worked", **changes: Any) -> dict[str, Any]:
    solved = outcomes[-1] == "correct"
    return row(
        success_1=0.0,
        success=float(solved),
        whole=float(solved),
        per_step=solved / len(outcomes),
        attempts=len(outcomes),
        decisions=[decision(*outcomes, style=style)],
        **changes,
    )


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


def test_measures_are_those_counted_by_hand(tmp_path: Path) -> None:
    rows = [
        row(problem=0),
        failed("wrong_value", "correct", problem=1, translated=0.0, perseverated=1.0, tokens=20),
        failed("illegal", "wrong_value", problem=2, valid=0.0, style="none", translated=None, tokens=30),
        failed("wrong_value", "wrong_value", problem=3, perseverated=0.0, tokens=20),
        row(problem=0, split="rule_ood"),
    ]
    home, away = measure(read_rows([write(tmp_path / "results.jsonl", rows)]))
    assert (home.split, away.split, home.problems, away.problems) == ("id", "rule_ood", 4, 1)
    assert (home.success_1, home.success, home.valid, home.tokens) == (0.25, 0.5, 0.75, 20)
    assert home.translated == pytest.approx(2 / 3)
    assert home.perseverated == 0.5
    assert away.perseverated is None
    assert home.first == {"correct": 0.25, "wrong_value": 0.5, "illegal": 0.25}
    assert home.final == {"correct": 0.5, "wrong_value": 0.5}
    assert home.styles == {"worked": 0.75, "none": 0.25}
    assert home.style_success == {"worked": pytest.approx(1 / 3), "none": 0}


def test_shares_are_of_decisions_and_kinds_are_told_apart(tmp_path: Path) -> None:
    route = [
        decision("correct", kinds=("turn", "by compass")),
        decision("wrong_action", "correct", kinds=("turn", "by landmark")),
        decision("correct", kinds=("forward",)),
        decision("wrong_action", "wrong_action", kinds=("forward",)),
    ]
    rows = [row(decisions=route, success_1=0.5, success=0.75, whole=0.0), row(problem=1)]
    (of,) = measure(read_rows([write(tmp_path / "results.jsonl", rows)]))
    assert (of.problems, of.decisions, of.success_1, of.success, of.whole) == (2, 5, 0.75, 0.875, 0.5)
    assert of.first == {"correct": pytest.approx(0.6), "wrong_action": pytest.approx(0.4)}
    assert of.final == {"correct": pytest.approx(0.8), "wrong_action": pytest.approx(0.2)}
    assert of.kinds == {name: pytest.approx(share) for name, share in [
        ("turn", 0.4), ("by compass", 0.2), ("by landmark", 0.2), ("forward", 0.4)]}  # fmt: skip
    assert of.kind_success == {"turn": 0.5, "by compass": 1, "by landmark": 0, "forward": 0.5}
    assert pool_success([of, of], "kinds", "kind_success", "turn") == 0.5


def test_pooling_weighs_evaluations_by_their_problems(tmp_path: Path) -> None:
    rows = [
        row(seed=0),
        failed("illegal", seed=1, problem=0),
        failed("illegal", seed=1, problem=1),
        row(seed=1, problem=2),
    ]
    measures = measure(read_rows([write(tmp_path / "results.jsonl", rows)]))
    assert pool(measures, "first") == {"correct": pytest.approx(0.5), "illegal": pytest.approx(0.5)}
    assert pool_success(measures, "styles", "style_success", "worked") == pytest.approx(0.5)


def test_cube_aligns_seeds_and_problems_and_marks_what_is_missing(tmp_path: Path) -> None:
    rows = [
        row(seed=1, problem=1),
        failed("illegal", seed=0, problem=0),
        row(seed=0, problem=1),
        row(branch="ppo", seed=0, problem=0, fraction=0.5, flops=5.0),
    ]
    cube = Cube.of(read_rows([write(tmp_path / "results.jsonl", rows)]))
    assert cube.checkpoints("sft") == [1.0]
    assert cube.checkpoints("ppo") == [0.5]
    assert cube.checkpoints("unknown") == []
    np.testing.assert_array_equal(cube.answers("success", "sft", 1.0, "id", "greedy"), [[0, 1], [np.nan, 1]])
    np.testing.assert_array_equal(cube.answers("perseverated", "sft", 1.0, "id", "greedy"), np.full((2, 2), np.nan))
    assert cube.compute["flops"][cube.branches["ppo"], cube.fractions[0.5], cube.seeds[0]] == 5


def test_the_last_step_stands_for_a_fraction(tmp_path: Path) -> None:
    rows = [row(branch="init", step=8, fraction=0.0), failed("illegal", branch="init", step=2, fraction=0.0)]
    cube = Cube.of(read_rows([write(tmp_path / "results.jsonl", rows)]))
    assert cube.answers("success", "init", 0.0, "id", "greedy").item() == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no json\n", "not a results file"),
        (json.dumps(row(success="yes")) + "\n", "not a results file"),
        (json.dumps({k: v for k, v in row().items() if k != "split"}) + "\n", "1 of 1 rows have no 'split'"),
    ],
)
def test_a_broken_results_file_is_named_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=complaint) as caught:
        read_rows([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_rows_have_no_measures() -> None:
    assert measure(read_rows([])) == []
