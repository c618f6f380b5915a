"""A model small enough that a whole study takes seconds, and the study that runs on it."""

from pathlib import Path

import pytest

from shiftgym.seeds import derive
from shiftgym.studies.config import Study, load_study

TINY = """
name = "tiny"
title = "A study for tests"
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


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a random Llama of 8 dimensions and a tokenizer for the prompts of `points`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shiftgym.models.backbone.tokenizer import train_tokenizer
    from shiftgym.tasks.registry import build_task

    task = build_task("points")
    problems = [task.problem("train", index) for index in range(50)]
    texts = [task.start(problem).prompt[0]["content"] for problem in problems]
    tokenizer = train_tokenizer(texts, vocabulary=600)
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
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_file(tiny_model: Path, tmp_path: Path) -> Path:
    """The study's file."""
    path = tmp_path / "tiny.toml"
    path.write_text(f'model = "{tiny_model}"\n{TINY}')
    return path


@pytest.fixture
def tiny_study(tiny_file: Path) -> Study:
    return load_study(tiny_file)
