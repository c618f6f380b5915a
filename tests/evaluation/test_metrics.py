"""Rows to measures and to arrays, on rows small enough to count by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shiftgym.errors import DataError
from shiftgym.evaluation.metrics import Cube, measure, pool, pool_style_success, read_rows


def row(**changes: Any) -> dict[str, Any]:
    return {
        "branch": "sft", "seed": 0, "step": 4, "fraction": 1.0, "flops": 10.0, "flops_paper": 8.0, "split": "id",
        "decoding": "greedy", "problem": 0, "success_1": True, "success": True, "attempts": 1, "outcomes": ["correct"],
        "reward": 5.0, "valid": True, "style": "worked", "translated": True, "perseverated": None, "tokens": 10,
    } | changes  # fmt: skip


def failed(*outcomes: str, **changes: Any) -> dict[str, Any]:
    solved = outcomes[-1] == "correct"
    return row(success_1=False, success=solved, attempts=len(outcomes), outcomes=list(outcomes), **changes)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


def test_measures_are_those_counted_by_hand(tmp_path: Path) -> None:
    rows = [
        row(problem=0),
        failed("wrong_value", "correct", problem=1, translated=False, perseverated=True, tokens=20),
        failed("illegal", "wrong_value", problem=2, valid=False, style="none", translated=None, tokens=30),
        failed("wrong_value", "wrong_value", problem=3, perseverated=False, tokens=20),
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


def test_pooling_weighs_evaluations_by_their_problems(tmp_path: Path) -> None:
    rows = [
        row(seed=0),
        failed("illegal", seed=1, problem=0),
        failed("illegal", seed=1, problem=1),
        row(seed=1, problem=2),
    ]
    measures = measure(read_rows([write(tmp_path / "results.jsonl", rows)]))
    assert pool(measures, "first") == {"correct": pytest.approx(0.5), "illegal": pytest.approx(0.5)}
    assert pool_style_success(measures, "worked") == pytest.approx(0.5)


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
