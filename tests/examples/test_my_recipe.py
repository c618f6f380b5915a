"""The example of a user's recipe runs by its name wherever a shipped one does."""

import json
from pathlib import Path

import pytest

from shiftgym.cli.main import main
from shiftgym.studies.config import load_study
from shiftgym.studies.run import run_study

ROOT = Path(__file__).parents[2]
NAME = "examples.my_recipe:Corrections"

STUDY = f"""
name = "mine"
title = "My recipe"
model = "MODEL"
seeds = [0]
task = {{ name = "points", limit = 2 }}

[splits.train]
[splits.id]
hands = "test"

[evaluation]
splits = ["train", "id"]
problems = 2
max_new_tokens = 8

[budget]
flops = 2e7
checkpoints = [1.0]

[init]
steps = 1
batch = 2

[branches.mine]
label = "Corrections"
recipe = "{NAME}"
batch = 2
samples = 2
max_new_tokens = 8
"""


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_it_is_short() -> None:
    assert len((ROOT / "examples" / "my_recipe.py").read_text().splitlines()) <= 60


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_it_runs_in_a_study(tiny_points: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(STUDY.replace("MODEL", str(tiny_points)))
    finished = run_study(load_study(file), runs=tmp_path, workers=1, plain=True)
    assert (finished.failed, finished.stopped) == ({}, {})
    lines = (finished.folder / "branches" / "mine-seed0" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["wrong"] == 1.0, "noise solves nothing"
    assert json.loads(lines[0])["tokens_generated"] > 0


def test_it_is_trained_by_name(tiny_points: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set=recipe.batch=2", "--set=recipe.max_new_tokens=8", "--set=recipe.samples=2"]
    assert run("train", str(tiny_points), NAME, f"--out={tmp_path / 'out'}", "--steps=1", *changes) == 0
    assert "step 1" in capsys.readouterr().out
    wrong = ["--set=recipe.sampels=2"]
    assert run("train", str(tiny_points), NAME, f"--out={tmp_path / 'out'}", *wrong) == 2
    assert "recipe.sampels: unknown key; did you mean 'samples'?" in capsys.readouterr().err


def test_it_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", NAME) == 0
    assert "FAIL" not in capsys.readouterr().out
