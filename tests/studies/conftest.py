"""A model so small that a whole study takes seconds, and the study that runs on it."""

from pathlib import Path

import pytest

from shiftgym.seeds import derive

TINY = """
name = "tiny"
title = "A study for tests"
model = "MODEL"
seeds = [0]

[task]
name = "points"
limit = 2

[splits.train]
rule = "faces_as_ten"

[splits.rule_ood]
rule = "faces_as_11_12_13"
hands = "test"
faces = true

[splits.impossible]
cards = 3
target = 997

[evaluation]
splits = ["train", "rule_ood"]
problems = 3
max_new_tokens = 8

[budget]
flops = 4e7
checkpoints = [0.5, 1.0]

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
max_new_tokens = 8
"""

FAULTY = """
[compare]
controls = ["diverging", "failing", "still"]

[branches.diverging]
label = "SFT, absurd rate"
recipe = "sft"
batch = 2
optimizer = { learning_rate = 1e30 }

[branches.failing]
label = "SFT on nothing"
recipe = "sft"
train_on = "impossible"

[branches.still]
label = "SFT from half of SFT, hardly moving"
recipe = "sft"
start = "sft"
start_at = 0.5
batch = 2
optimizer = { learning_rate = 1e-20 }
"""
"""Branches that cannot end well, of weights that overflow and on a split without problems, and one that starts from
another."""


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """A study file whose model is a hub id that nothing looks up."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("MODEL", "nobody/nothing"))
    return path


@pytest.fixture(scope="session")
def faulty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with two sound and two faulty branches, on a random Llama of 8 dimensions."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shiftgym.backbones.points import CORPUS
    from shiftgym.backbones.tokenizer import train_tokenizer
    from shiftgym.tasks.registry import build_task

    folder = tmp_path_factory.mktemp("tiny")
    task = build_task("points")
    problems = [task.problem("train", index) for index in range(50)]
    tokenizer = train_tokenizer(
        [task.start(one).prompt[0]["content"] for one in problems], 600, CORPUS.pieces, CORPUS.numbers
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(derive(0, "tiny"))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    path = folder / "tiny.toml"
    path.write_text(TINY.replace("MODEL", str(folder / "model")) + FAULTY)
    return path
