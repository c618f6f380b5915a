"""Rows of `results.jsonl`, small enough to count by hand."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shiftgym.evaluation.rows import read_rows


class Hand:
    """Makes rows, and reads them as the rows of a run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.jsonl"

    def read(self, *rows: dict[str, Any]) -> pa.Table:
        self.path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
        return read_rows([self.path])

    @staticmethod
    def row(**changes: Any) -> dict[str, Any]:
        return {
            "branch": "sft", "seed": 0, "step": 4, "fraction": 1.0, "flops": 10.0, "flops_paper": 8.0, "split": "id",
            "decoding": "greedy", "problem": 0, "success_1": 1.0, "success": 1.0, "whole": 1.0, "per_step": 1.0,
            "attempts": 1, "reward": 5.0, "valid": 1.0, "translated": 1.0, "perseverated": None, "tokens": 10.0,
            "decisions": [Hand.decision("correct")],
        } | changes  # fmt: skip

    @staticmethod
    def decision(*outcomes: str, style: str = "worked", kinds: tuple[str, ...] = ()) -> dict[str, Any]:
        right = len(outcomes) if outcomes[-1] == "correct" else 0
        return {"outcomes": list(outcomes), "right": right, "style": style, "kinds": list(kinds)}

    @staticmethod
    def failed(*outcomes: str, style: str = "worked", **changes: Any) -> dict[str, Any]:
        solved = outcomes[-1] == "correct"
        return Hand.row(
            success_1=0.0,
            success=float(solved),
            whole=float(solved),
            per_step=solved / len(outcomes),
            attempts=len(outcomes),
            decisions=[Hand.decision(*outcomes, style=style)],
            **changes,
        )


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)
