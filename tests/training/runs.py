"""Short runs of every recipe, for the tests of the trainer."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import LlamaForCausalLM

from shiftgym.training.trainer import TrainingResult

FAST = {"learning_rate": 3e-3}
Run = tuple[str, dict[str, Any]]
"""A recipe's name and its settings."""

SFT: Run = ("sft", {"problems": 30, "batch": 16, "optimizer": FAST})
PPO: Run = ("ppo", {"episodes_per_iteration": 12, "minibatch": 8, "max_new_tokens": 3, "optimizer": FAST})
MUON = {"name": "muon", "learning_rate": 3e-3, "warmup": 0.5, "schedule": "linear"}
GROUP = {"episodes_per_iteration": 8, "group_size": 4, "minibatch": 8, "max_new_tokens": 3, "optimizer": MUON}
OWN: dict[str, Any] = {"problems": 20, "batch": 8, "max_new_tokens": 3, "optimizer": FAST}
RECIPES: list[Run] = [
    SFT, ("dft", {**SFT[1], "kl": 0.1}), PPO, ("rloo", GROUP), ("grpo", GROUP), ("rft", {**OWN, "group_size": 16}),
    ("replay", OWN), ("dpo", {**OWN, "group_size": 16}), ("distill", PPO[1]),
]  # fmt: skip
LORA: dict[str, Any] = {"lora": {"rank": 4}}
ADAPTED: list[Run] = [(name, {**settings, **LORA}) for name, settings in RECIPES if settings["optimizer"] != MUON]
EIGHT_BITS = {"name": "adamw8bit", "learning_rate": 3e-3}
if importlib.util.find_spec("bitsandbytes") is None:
    EIGHT_BITS["name"] = "adamw"
ADAPTED.append(("grpo", {**GROUP, **LORA, "episodes_per_iteration": 32, "group_size": 16, "optimizer": EIGHT_BITS}))

Train = Callable[..., tuple[TrainingResult, LlamaForCausalLM]]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
