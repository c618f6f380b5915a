"""Checkpoints of a branch: complete or absent, and sufficient to resume with the same result.

The files are described in `layout.BranchFolder` and `layout.CheckpointFolder`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shiftgym.files import read_json, replacing, write_text
from shiftgym.layout import BranchFolder, CheckpointFolder
from shiftgym.models.ledger import Ledger
from shiftgym.models.lora import has_adapter, load_adapter, save_adapter
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.player import Player
from shiftgym.models.sharding import load_weights, whole_state


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """One complete checkpoint."""

    step: int
    fraction: float
    """The milestone it was written for: the last one is 1."""
    ledger: Ledger
    """A copy of the ledger as it stood."""
    path: Path


def existing(folder: Path) -> list[CheckpointInfo]:
    """The complete checkpoints of a branch, oldest first."""
    found = []
    for checkpoint in BranchFolder(folder).checkpoints():
        state = read_json(checkpoint.state)
        found.append(CheckpointInfo(state["step"], state["fraction"], Ledger.load(state["ledger"]), checkpoint.path))
    return found


def save(folder: Path, player: Player, optimizer: Optimizer, *, step: int, fraction: float) -> CheckpointInfo:
    """Write a checkpoint beside its path, then move it there in one operation. Of several ranks the first writes it,
    whole, and the others wait for it."""
    path, ranks = BranchFolder(folder).checkpoint(step).path, player.ranks
    state: dict[str, Any] = {
        "step": step,
        "fraction": fraction,
        "ledger": player.ledger.record(),
        "lines": _lines(folder),
        "pass_limit": player.pass_limit.record(),
        "decision_limit": player.decision_limit.record(),
    }
    weights = None if has_adapter(player.model) else whole_state(player.model, ranks)
    states = optimizer.state_dict()
    if ranks.first:
        earlier = existing(folder)
        with replacing(path) as unfinished:
            if has_adapter(player.model):
                save_adapter(player.model, unfinished)
            else:
                player.model.save_pretrained(unfinished, state_dict=weights)
            player.chat_format.reader.save_pretrained(unfinished)
            if player.value_head is not None:
                player.value_head.save(unfinished)
            torch.save(states, CheckpointFolder(unfinished).optimizer)
            CheckpointFolder(unfinished).state.write_text(json.dumps(state, indent=1))
        for checkpoint in earlier:
            CheckpointFolder(checkpoint.path).optimizer.unlink(missing_ok=True)
    ranks.wait()
    return CheckpointInfo(step, fraction, Ledger.load(state["ledger"]), path)


def restore(folder: Path, checkpoint: CheckpointInfo, player: Player, optimizer: Optimizer) -> None:
    """Put weights, optimizer and log files back to where they stood at `checkpoint`, the latest one. It may have been
    written by another number of ranks."""
    path, model = checkpoint.path, player.model
    if has_adapter(model):
        load_adapter(model, path)
    else:
        load_weights(model, path)
    if player.value_head is not None:
        player.value_head.load(path)
    # The states of whole weights may not fit on the device of a rank, which takes its part of them.
    place = model.device if player.ranks.alone else "cpu"
    optimizer.load_state_dict(torch.load(CheckpointFolder(path).optimizer, map_location=place))
    state = read_json(CheckpointFolder(path).state)
    # Passes as large as before it was resumed, so that it rounds, and charges padding, in the same way.
    player.pass_limit.lower(state["pass_limit"])
    player.decision_limit.lower(state["decision_limit"])
    if player.ranks.first:
        rewind(folder, state["lines"])


def rewind(folder: Path, lines: dict[str, int]) -> None:
    """Cut each log file to its first so many lines."""
    for log in BranchFolder(folder).logs:
        if log.exists():
            write_text(log, "".join(log.read_text().splitlines(keepends=True)[: lines.get(log.name, 0)]))


def _lines(folder: Path) -> dict[str, int]:
    return {log.name: len(log.read_text().splitlines()) for log in BranchFolder(folder).logs if log.exists()}
