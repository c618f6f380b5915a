"""Several ranks train one model: as one process does, but for rounding; and once more where one of them was lost."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.groups import Group, run_group
from tests.training.conftest import Repeat, tiny_model, tokenizer
from tests.training.runs import LORA, MUON, OWN, PPO, SFT, Run, lines
from transformers import AutoModelForCausalLM

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.training.trainer import train

pytestmark = pytest.mark.slow

GROUP = {"episodes_per_iteration": 12, "group_size": 4, "minibatch": 8, "max_new_tokens": 3, "optimizer": MUON}
RUNS: dict[str, Run] = {
    "sft": ("sft", SFT[1]),
    "sft, lora": ("sft", {**SFT[1], **LORA}),
    "ppo": PPO,
    "rloo": ("rloo", GROUP),
    "dft": ("dft", {**SFT[1], "kl": 0.1}),
    "grpo, lora": ("grpo", {**GROUP, **LORA, "optimizer": SFT[1]["optimizer"]}),
    "rft": ("rft", {**OWN, "group_size": 16}),
    "replay": ("replay", OWN),
    "dpo": ("dpo", {**OWN, "group_size": 16}),
    "distill": ("distill", PPO[1]),
}


def train_each(folder: Path, names: Iterable[str]) -> None:
    """Train in folders of their own, as one of the ranks that the environment names."""
    ranks = Ranks.joined("cpu")
    chat_format = ChatFormat(tokenizer())
    for name in names:
        recipe, settings = RUNS[name]
        train(
            (tiny_model(), chat_format),
            recipe,
            Repeat(),
            settings=settings,
            folder=folder / name,
            steps=3,
            milestones=(0.5, 1.0),
            ranks=ranks,
        )


@pytest.mark.parametrize("count", [2, 3])
def test_ranks_train_as_one_process_does(tmp_path: Path, count: int) -> None:
    train_each(tmp_path / "one", RUNS)
    run_group(count, train_each, tmp_path / "many", [*RUNS], folder=tmp_path / "logs")
    for name in RUNS:
        one, many = tmp_path / "one" / name, tmp_path / "many" / name
        print(name)
        for a, b in zip(lines(one), lines(many), strict=True):
            print(a); print(b)
        assert (one / "episodes.jsonl").read_bytes() == (many / "episodes.jsonl").read_bytes(), name
        for before, after in zip(lines(one), lines(many), strict=True):
            assert after == pytest.approx(before, rel=1e-4, abs=1e-6), name
