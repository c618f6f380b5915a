"""A checkpoint is whole or not there, and enough to go on from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from shiftgym.batching import BatchLimit
from shiftgym.layout import BranchFolder, CheckpointFolder
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.player import Player
from shiftgym.training import checkpoints
from shiftgym.training.recipes.ppo import PPO


@pytest.fixture
def player(bench: Any) -> Player:
    """With a critic."""
    return bench.make(PPO).player


@pytest.fixture
def optimizer(player: Player) -> Optimizer:
    """After one step, so that it has a state."""
    made = Optimizer([(player.model, 1.0)], "adamw", 1e-3, 0.0, (0.9, 0.98))
    for weight in player.model.parameters():
        weight.grad = torch.ones_like(weight)
    made.step()
    return made


def weights(player: Player) -> list[torch.Tensor]:
    return [weight.clone() for module in (player.model, player.value_head) for weight in module.parameters()]


def test_a_checkpoint_loads_as_any_model_does(player: Player, optimizer: Optimizer, tmp_path: Path) -> None:
    first = checkpoints.save(tmp_path, player, optimizer, step=1, fraction=0.5)
    last = checkpoints.save(tmp_path, player, optimizer, step=2, fraction=1.0)
    loaded = LlamaForCausalLM.from_pretrained(last.path)
    assert all(torch.equal(a, b) for a, b in zip(player.model.parameters(), loaded.parameters(), strict=True))
    assert (last.path / "tokenizer.json").exists()
    assert (last.path / "value_head.safetensors").exists()
    assert CheckpointFolder(last.path).optimizer.exists()
    assert not CheckpointFolder(first.path).optimizer.exists(), "only the latest can be resumed from"
    assert checkpoints.existing(tmp_path) == [first, last]


def test_everything_goes_back_to_where_it_stood(
    bench: Any, player: Player, optimizer: Optimizer, tmp_path: Path
) -> None:
    logs = BranchFolder(tmp_path)
    logs.metrics.write_text("1\n2\n")
    before, state = weights(player), optimizer.state_dict()
    moments = [value.clone() for value in tensors(state)]
    saved = checkpoints.save(tmp_path, player, optimizer, step=2, fraction=0.5)
    logs.metrics.write_text("1\n2\n3\n")
    logs.episodes.write_text("of a later step\n")
    bench.disturb()
    with torch.no_grad():
        for weight in player.value_head.parameters():
            weight.add_(1.0)
    optimizer.step()
    assert not any(torch.equal(a, b) for a, b in zip(before, weights(player), strict=True))

    checkpoints.restore(tmp_path, saved, player, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(player), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(moments, tensors(optimizer.state_dict()), strict=True))
    assert (logs.metrics.read_text(), logs.episodes.read_text()) == ("1\n2\n", "")


def test_a_checkpoint_that_was_cut_short_is_none(
    player: Player, optimizer: Optimizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", die)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(tmp_path, player, optimizer, step=1, fraction=1.0)
    assert checkpoints.existing(tmp_path) == []
    saved = checkpoints.save(tmp_path, player, optimizer, step=1, fraction=1.0)
    assert checkpoints.existing(tmp_path) == [saved]


def test_the_ledger_of_a_checkpoint_stands_still(player: Player, optimizer: Optimizer, tmp_path: Path) -> None:
    player.ledger.forward_flops = 7
    saved = checkpoints.save(tmp_path, player, optimizer, step=1, fraction=1.0)
    player.ledger.forward_flops = 9
    (read,) = checkpoints.existing(tmp_path)
    assert saved.ledger.forward_flops == read.ledger.forward_flops == 7


def tensors(state: Any) -> list[torch.Tensor]:
    """All tensors of an optimizer's state, in order."""
    if isinstance(state, torch.Tensor):
        return [state]
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return [tensor for each in inner for tensor in tensors(each)]


def test_passes_stay_as_small_as_memory_made_them(player: Player, optimizer: Optimizer, tmp_path: Path) -> None:
    asked = checkpoints.save(tmp_path, player, optimizer, step=1, fraction=0.5)
    checkpoints.restore(tmp_path, asked, player, optimizer)
    assert (player.pass_limit.size, player.decision_limit.size) == (4096, None)
    player.pass_limit.halve(1000, "never")
    split = checkpoints.save(tmp_path, player, optimizer, step=2, fraction=1.0)
    resumed = replace(player, pass_limit=BatchLimit(4096))
    checkpoints.restore(tmp_path, split, resumed, optimizer)
    assert (resumed.pass_limit.size, resumed.decision_limit.size) == (500, None)
