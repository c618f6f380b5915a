"""Rows to columns and arrays, on rows small enough to count by hand."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shiftgym.errors import DataError
from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.rows import SCHEMA, Cube, read_rows


def test_cube_aligns_seeds_and_problems_and_marks_what_is_missing(hand: Any) -> None:
    rows = [
        hand.row(seed=1, problem=1),
        hand.failed("illegal", seed=0, problem=0),
        hand.row(seed=0, problem=1),
        hand.row(branch="ppo", seed=0, problem=0, fraction=0.5, flops=5.0),
    ]
    cube = Cube.of(hand.read(*rows))
    assert cube.checkpoints("sft") == [1.0]
    assert cube.checkpoints("ppo") == [0.5]
    assert cube.checkpoints("unknown") == []
    np.testing.assert_array_equal(cube.answers("success", "sft", 1.0, "id", "greedy"), [[0, 1], [np.nan, 1]])
    np.testing.assert_array_equal(cube.answers("perseverated", "sft", 1.0, "id", "greedy"), np.full((2, 2), np.nan))
    assert cube.compute["flops"][cube.branches["ppo"], cube.fractions[0.5], cube.seeds[0]] == 5


def test_the_last_step_stands_for_a_fraction(hand: Any) -> None:
    rows = [hand.row(branch="init", step=8, fraction=0.0), hand.failed("illegal", branch="init", step=2, fraction=0.0)]
    cube = Cube.of(hand.read(*rows))
    assert cube.answers("success", "init", 0.0, "id", "greedy").item() == 1


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (lambda row: "no json", "not a results file"),
        (lambda row: json.dumps({**row, "success": "yes"}), "not a results file"),
        (lambda row: json.dumps({key: row[key] for key in row if key != "split"}), "1 of 1 rows have no 'split'"),
        (lambda row: json.dumps({key: row[key] for key in row if key != "tokens"}), "1 of 1 rows have no 'tokens'"),
    ],
)
def test_a_broken_results_file_is_named_in_one_line(tmp_path: Path, hand: Any, broken: Any, complaint: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(broken(hand.row()) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=complaint) as caught:
        read_rows([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_without_the_ends_of_answers_are_read_beside_those_with_them(hand: Any) -> None:
    rows = hand.read(hand.row(problem=0), hand.row(problem=1, cut=0.25, empty=0.0, too_long=0.0))
    assert rows["cut"].to_pylist() == [None, 0.25]
    np.testing.assert_array_equal(Cube.of(rows).answers("cut", "sft", 1.0, "id", "greedy"), [[np.nan, 0.25]])
    assert hand.read(hand.row())["empty"].to_pylist() == [None]


def test_every_measure_is_a_column_and_has_an_axis_of_the_cube(hand: Any) -> None:
    assert [name for name in SCHEMA.names if name in MEASURES] == list(MEASURES)
    assert list(Cube.of(hand.read(hand.row())).values) == list(MEASURES)


def test_the_path_of_a_file_need_not_be_utf_8(tmp_path: Path, hand: Any) -> None:
    path = tmp_path / os.fsdecode(b"ren\xe9.jsonl")
    path.write_text(json.dumps(hand.row()) + "\n")
    assert len(read_rows([path])) == 1
