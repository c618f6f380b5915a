"""One recipe on one model, and one model on some splits, outside a study."""

import json
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder
from shiftgym.studies.config import load_study
from shiftgym.studies.run_folder import only_one
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
    with only_one(RunFolder(out)), pytest.raises(ConfigError, match="another process is working on this run"):
        train(2)

    evaluate_model(str(model), study, splits=None, served=None, seed=0, out=tmp_path)
    printed = capsys.readouterr().out
    assert "No answer was ever right on any split. Of the first answers there, " in printed
    assert "Answers were cut off: " in printed
    assert f"Raise evaluation.max_new_tokens (now {study.evaluation.max_new_tokens})." in printed
    table = printed.partition("Percent of")[0]
    assert {"rule_ood", "cut", "off"} <= {*table.split()}
    assert "long" not in table, "no conversation was too long for the model"
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * 2 * study.evaluation.problems


@pytest.mark.parametrize(
    "wrong",
    ["recipe.frozen=['vision']", "recipe.lora={targets=['nowhere']}", "dtype=float16", "attention=flash_attention_2"],
)
def test_a_setting_that_the_model_does_not_take_leaves_nothing_behind(
    faulty_file: Path, tmp_path: Path, wrong: str
) -> None:
    out = tmp_path / "trained"
    with pytest.raises(ConfigError):
        train_model(load_study(faulty_file).model, "sft", task="points", steps=1, seed=0, overrides=[wrong], out=out)
    assert not out.exists()


def test_a_training_whose_rewards_are_all_alike_says_so(
    faulty_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of random weights whose answers are cut off after two tokens never forms an answer."""
    train_model(
        load_study(faulty_file).model,
        "grpo",
        task="points",
        steps=1,
        seed=0,
        overrides=["recipe.episodes_per_iteration=2", "recipe.group_size=2", "recipe.max_new_tokens=2"],
        out=tmp_path,
    )
    step, idle, _ = capsys.readouterr().out.splitlines()
    assert "rewards_alike 1" in step
    assert idle == "1 of 1 steps had nothing to learn from: all rewards were alike."


def test_template_variables_reach_the_model(faulty_file: Path, tmp_path: Path) -> None:
    study = load_study(faulty_file, ["template_variables.enable_thinking=false"])
    unknown = "template_variables: the chat template of .* takes no 'enable_thinking'"
    with pytest.raises(ConfigError, match=unknown):
        train_model(
            "points-0", "sft", task="points", steps=1, seed=0, out=tmp_path,
            overrides=["template_variables.enable_thinking=false"],
        )  # fmt: skip
    with pytest.raises(ConfigError, match=unknown):
        evaluate_model("points-0", study, splits=None, served=None, seed=0, out=None)
    with pytest.raises(ConfigError, match="http://127.0.0.1:9#m fills its own chat template"):
        evaluate_model("http://127.0.0.1:9", study, splits=None, served="m", seed=0, out=None)
