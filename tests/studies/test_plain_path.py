"""Whole studies of models that take the plain path: two that see, and a hybrid of convolution and attention."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import run
from tests.models.conftest import FAMILIES, tiny_tokenizer
from tests.models.seeing_families import save_seeing
from transformers import Lfm2Config, Lfm2ForCausalLM

STUDY = """
name = "toy"
title = "A toy study"
model = "MODEL"
seeds = [0]

[task]
name = "points"
TASK
limit = 2

[splits.train]

[splits.rule_ood]
rule = "faces_as_11_12_13"
hands = "test"
faces = true

[evaluation]
splits = ["train", "rule_ood"]
problems = 2
decodings = ["sampled"]
max_new_tokens = 4

[budget]
flops = BUDGET
checkpoints = [1.0]

[init]
recipe = "sft"
steps = 1
batch = 2

[branches.sft]
label = "SFT"
recipe = "sft"
batch = 2

[branches.ppo]
label = "PPO"
recipe = "ppo"
episodes_per_iteration = 2
minibatch = 2
epochs = 1
max_new_tokens = 4
"""


def save_hybrid(folder: Path) -> Path:
    """A tiny LFM2 of random weights with its tokenizer."""
    tokenizer = tiny_tokenizer(FAMILIES["qwen2"])
    config = Lfm2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, layer_types=["conv", "full_attention"],
        block_auto_adjust_ff_dim=False, pad_token_id=None, bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        model = Lfm2ForCausalLM(config)
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    return folder


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize(
    ("family", "budget", "why"),
    [
        ("mllama", 3e8, "it reads pictures by cross-attention"),
        pytest.param("gemma3", 3e8, "tokens of a picture see those behind them", marks=pytest.mark.slow),
        ("lfm2", 1e8, "it has conv layers"),
    ],
)
def test_a_whole_study_of_a_model_on_the_plain_path(family: str, budget: float, why: str, tmp_path: Path) -> None:
    model = tmp_path / family
    model = save_hybrid(model) if family == "lfm2" else save_seeing(family, model)
    task = "" if family == "lfm2" else 'modality = "vision"\nsize = 96'
    text = STUDY.replace("MODEL", str(model)).replace("TASK", task).replace("BUDGET", str(budget))
    (tmp_path / "toy.toml").write_text(text)
    assert run("study", "run", str(tmp_path / "toy.toml"), "--runs", str(tmp_path / "runs"), "--workers=2") == 0

    (folder,) = (tmp_path / "runs").iterdir()
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert Counter(row["branch"] for row in rows) == dict.fromkeys(("init", "sft", "ppo"), 2 * 2)
    assert (folder / "report.html").stat().st_size > 10_000
    for branch in ("sft-seed0", "ppo-seed0"):
        told = (folder / "branches" / branch / "log.txt").read_text()
        assert why in told
        metrics = [
            json.loads(line) for line in (folder / "branches" / branch / "metrics.jsonl").read_text().splitlines()
        ]
        assert metrics[-1]["flops"] >= budget
