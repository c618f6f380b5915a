"""One recipe on one model, and one model on some splits, outside a study."""

import json
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import load_study
from shiftgym.studies.single import evaluate_model, train_model


def test_a_model_is_trained_and_measured(faulty_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = load_study(faulty_file)
    out = tmp_path / "trained"

    def train(steps: int) -> None:
        train_model(study.model, "sft", task="points", steps=steps, seed=0, overrides=["recipe.batch=2"], out=out)

    train(2)
    printed = capsys.readouterr().out
    assert "step 2  loss" in printed
    model = out / "checkpoints" / "step-000002"
    assert printed.splitlines()[-1] == f"Model: {model}"
    with pytest.raises(ConfigError, match="holds another training"):
        train(3)

    evaluate_model(str(model), study, splits=None, served=None, seed=0, out=tmp_path)
    assert "rule_ood" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * 2 * study.evaluation.problems
