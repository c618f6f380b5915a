"""The result of a comparison for a terminal of 80 columns."""

import re
from pathlib import Path

from rich.console import Console
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.compared import compare
from shiftgym.reports.terminal import result_table
from shiftgym.studies.config import load_study


def test_three_models_fit_80_columns(tmp_path: Path) -> None:
    task = load_study("points-text", SMALL).build_task()
    policies = [Coin(task, chance, seed) for seed, chance in enumerate((0.2, 0.9, 0.5))]
    compare(*policies, overrides=SMALL, folder=tmp_path, labels=["base", "a long name", "another"])
    with (tmp_path / "out.txt").open("w") as file:
        Console(file=file, width=80).print(result_table(tmp_path), highlight=False)
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "minus a long name" in text and "…" not in text and "train - id" in text
    assert "A verdict speaks of this checkpoint, not of the recipe that made it" in text


def test_many_models_and_splits_fit_too(tmp_path: Path) -> None:
    """Every difference has a line of its own, so no cell is cut however many models there are."""
    settings = ("evaluation.problems=4", "evaluation.decodings=['sampled']", "evaluation.samples=1", "task.limit=2")
    task = load_study("ladder", settings).build_task()
    policies = [Coin(task, chance, seed) for seed, chance in enumerate((0.2, 0.9, 0.5, 0.4, 0.3, 0.1))]
    labels = ["base", *(f"runs/2026/a-quite-long-name-{number}/checkpoint" for number in range(5))]
    compare(*policies, study="ladder", overrides=settings, folder=tmp_path, labels=labels)
    with (tmp_path / "out.txt").open("w") as file:
        Console(file=file, width=80).print(result_table(tmp_path), highlight=False)
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "…" in line]
    differences = [line for line in lines if re.search(r"[+−]\d+\.\d  \[.*\]  (rose|fell|above|below|undecided)", line)]
    alike = [line for line in lines if "both " in line]
    assert len(differences) + len(alike) == 11 * 15
    assert any("Change of success from one split of a ladder" in line for line in lines)
