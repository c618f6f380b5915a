"""The study that runs on the tiny model."""

from pathlib import Path

import pytest

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


LORA = "lora = { rank = 2, alpha = 4 }"

ADAPTED = """
[compare]
controls = ["whole", "renewed"]

[probes]
splits = ["rule_ood"]
problems = 2
samples = 2

[branches.whole]
label = "SFT of the merged model"
recipe = "sft"
batch = 2

[branches.renewed]
label = "A new adapter on that"
recipe = "sft"
start = "whole"
batch = 2
kl = 0.1
lora = { rank = 1, targets = ["q_proj", "v_proj"] }
"""


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time of a tiny study: whoever asks for nothing of the report leaves it out."""
    monkeypatch.setattr("shiftgym.reports.page.write_report", lambda of: of.first.folder / "report.html")


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """A study file whose model is a hub id that nothing looks up."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("MODEL", "nobody/nothing"))
    return path


@pytest.fixture(scope="session")
def faulty_file(tiny_points: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with two sound and two faulty branches, on a random Llama of 8 dimensions."""
    path = tmp_path_factory.mktemp("faulty") / "tiny.toml"
    path.write_text(TINY.replace("MODEL", str(tiny_points)) + FAULTY)
    return path


@pytest.fixture(scope="session")
def adapted_file(tiny_points: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with LoRA: branches that go on with the adapter of the start, one that trains the merged model, and a new
    adapter on that."""
    path = tmp_path_factory.mktemp("adapted") / "tiny.toml"
    text = TINY.replace("MODEL", str(tiny_points)).replace('[init]\nrecipe = "sft"', f'[init]\nrecipe = "sft"\n{LORA}')
    for recipe in ("sft", "ppo"):
        text = text.replace(f'label = "{recipe.upper()}"', f'label = "{recipe.upper()}"\n{LORA}')
    path.write_text(text + ADAPTED)
    return path
