"""Training of adapters beside frozen weights."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.runs import ADAPTED, LORA, PPO, SFT, Run, Train, lines
from transformers import LlamaForCausalLM, PreTrainedModel

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import adapter_weights
from shiftgym.tasks.base import Task
from shiftgym.training.check import SMALL
from shiftgym.training.checkpoints import CheckpointInfo
from shiftgym.training.registry import load_recipe
from shiftgym.training.trainer import train


@pytest.mark.parametrize("recipe", ADAPTED, ids=lambda recipe: recipe[0])
def test_training_an_adapter_moves_nothing_else(
    make_model: Callable[[], LlamaForCausalLM], run: Train, recipe: Run, tmp_path: Path
) -> None:
    result, model = run(recipe, tmp_path, steps=6 if recipe[0] == "grpo" else 2)
    before = dict(make_model().named_parameters())
    for name, weight in model.named_parameters():
        if "lora_" not in name:
            assert torch.equal(weight, before[name.replace(".base_layer", "")]), name
    assert any(bool(weight.any()) for name, weight in adapter_weights(model).items() if "lora_B" in name)
    path = result.checkpoints[-1].path
    written = {file.name for file in path.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= written
    assert not {"config.json", "model.safetensors"} & written
    assert ("value_head.safetensors" in written) == (recipe[0] == "ppo")
    states = torch.load(path / "trainer.pt")
    weights = list(adapter_weights(model).values())
    critic = 4 if recipe[0] == "ppo" else 0
    assert sum(len(state["state"]) for state in states) == len(weights) + critic, "the optimizer knows no other weight"


@pytest.mark.parametrize("recipe", [("sft", {**SFT[1], "kl": 0.1}), PPO], ids=["sft", "ppo"])
def test_kl_is_measured_from_the_model_without_its_new_adapter(run: Train, recipe: Run, tmp_path: Path) -> None:
    name, settings = recipe
    once = {"epochs": 1, "minibatch": 12} if name == "ppo" else {}
    run((name, {**settings, **LORA, **once}), tmp_path, steps=2)
    first, second = lines(tmp_path)
    assert first["kl"] == 0
    assert second["kl"] > 0


def test_training_goes_on_with_an_adapter_and_measures_kl_from_it(
    make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task, tmp_path: Path
) -> None:
    make_model().save_pretrained(tmp_path / "base")
    chat_format.reader.save_pretrained(tmp_path / "base")
    options: dict[str, Any] = {"settings": {**SFT[1], **LORA, "kl": 0.1}, "steps": 2}
    first = train(str(tmp_path / "base"), "sft", task, folder=tmp_path / "first", **options)
    second = train(str(first.checkpoints[-1].path), "sft", task, folder=tmp_path / "second", seed=1, **options)
    assert lines(tmp_path / "second")[0]["kl"] == 0
    configs = [
        json.loads((result.checkpoints[-1].path / "adapter_config.json").read_text()) for result in (first, second)
    ]
    assert configs[0] == configs[1], "both are adapters of the one base"
    loss = [lines(tmp_path / name)[0]["loss"] for name in ("first", "second")]
    assert loss[1] < loss[0], "what the first has learned is there"
    again = train(str(first.checkpoints[-1].path), "sft", task, folder=tmp_path / "second", seed=1, **options)
    assert again.steps == 2
    other = {**options, "settings": {**SFT[1], "lora": {"rank": 2}}}
    with pytest.raises(ConfigError, match="lora: training goes on with the adapter that the model has"):
        train(str(first.checkpoints[-1].path), "sft", task, folder=tmp_path / "third", **other)
    whole = {**options, "settings": SFT[1]}
    merged = train(str(first.checkpoints[-1].path), "sft", task, folder=tmp_path / "whole", **whole)
    assert (merged.checkpoints[-1].path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("settings", "package"), [(LORA, "peft"), ({"optimizer": {"name": "adamw8bit"}}, "bitsandbytes")]
)
def test_a_missing_package_is_named_before_anything_runs(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], package: str
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr("shiftgym.training.settings.find_spec", lambda name: None if name == package else there(name))
    with pytest.raises(
        ConfigError, match=rf"needs {package}, which is not installed: pip install 'shiftgym\[{package}\]'"
    ):
        run(("sft", settings), tmp_path / "run", steps=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", ["sft", "ppo", "grpo", "dpo", "distill"])
def test_recipes_train_an_adapter_of_a_shipped_backbone(recipe: str, tmp_path: Path) -> None:
    kind = load_recipe(recipe)
    small = {key: value for key, value in SMALL.items() if key in kind.Settings.model_fields}
    small |= {"max_new_tokens": 24} if recipe in ("ppo", "grpo", "distill") else {}
    seen: list[torch.Tensor] = []
    ids = torch.arange(40)[None]

    def look(_info: CheckpointInfo, model: PreTrainedModel) -> None:
        with torch.no_grad():
            seen.append(model(ids).logits)

    options: dict[str, Any] = {"settings": {**small, "lora": {"rank": 4}}, "steps": 2, "on_checkpoint": look}
    result = train("points-0", recipe, "points", folder=tmp_path, **options)
    model, _ = load_policy(str(result.checkpoints[-1].path))
    with torch.no_grad():
        assert float((model(ids).logits - seen[0]).abs().max()) < 5e-5, "merging rounds"
