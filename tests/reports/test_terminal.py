"""The result of a comparison for a terminal of 80 columns."""

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
    assert "minus a long name" in text and "train - id" in text
    assert "A verdict speaks of this checkpoint, not of the recipe that made it" in text
