"""Checkpoints of a branch: whole or not there at all, and enough to go on as if nothing had happened.

checkpoints/step-000040/    model and tokenizer, loadable by `from_pretrained`
    value_head.safetensors  where the recipe has a critic
    trainer.pt              optimizer state, kept for the latest checkpoint only
    state.json              step, fraction, ledger, lines of the branch's log files
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shiftgym.models.ledger import Ledger
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.player import Player

LOGS = ("metrics.jsonl", "timings.jsonl", "episodes.jsonl")
"""Files of a branch that training appends to."""


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
    for path in sorted((folder / "checkpoints").glob("step-*")):
        state = json.loads((path / "state.json").read_text())
        found.append(CheckpointInfo(state["step"], state["fraction"], Ledger.load(state["ledger"]), path))
    return found


def save(folder: Path, player: Player, optimizer: Optimizer, *, step: int, fraction: float) -> CheckpointInfo:
    """Write a checkpoint beside its place, then move it there in one go."""
    earlier = existing(folder)
    path = folder / "checkpoints" / f"step-{step:06d}"
    unfinished = path.with_name(f"unfinished-{step:06d}")
    shutil.rmtree(unfinished, ignore_errors=True)
    player.model.save_pretrained(unfinished)
    player.chat_format.reader.save_pretrained(unfinished)
    if player.value_head is not None:
        player.value_head.save(unfinished)
    torch.save(optimizer.state_dict(), unfinished / "trainer.pt")
    state: dict[str, Any] = {
        "step": step,
        "fraction": fraction,
        "ledger": player.ledger.record(),
        "lines": _lines(folder),
    }
    (unfinished / "state.json").write_text(json.dumps(state, indent=1))
    unfinished.replace(path)
    for checkpoint in earlier:
        (checkpoint.path / "trainer.pt").unlink(missing_ok=True)
    return CheckpointInfo(step, fraction, Ledger.load(state["ledger"]), path)


def restore(folder: Path, checkpoint: CheckpointInfo, player: Player, optimizer: Optimizer) -> None:
    """Put weights, optimizer and log files back to where they stood at `checkpoint`, the latest one."""
    path, model = checkpoint.path, player.model
    model.load_state_dict(type(model).from_pretrained(path, dtype=model.dtype).state_dict())
    if player.value_head is not None:
        player.value_head.load(path)
    optimizer.load_state_dict(torch.load(path / "trainer.pt", map_location=model.device))
    rewind(folder, json.loads((path / "state.json").read_text())["lines"])


def append(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Add JSON lines to a log file."""
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def rewind(folder: Path, lines: dict[str, int]) -> None:
    """Cut each log file to its first so many lines."""
    for name in LOGS:
        path = folder / name
        if path.exists():
            kept = path.read_text().splitlines(keepends=True)[: lines.get(name, 0)]
            shortened = path.with_suffix(".shortened")
            shortened.write_text("".join(kept))
            shortened.replace(path)


def _lines(folder: Path) -> dict[str, int]:
    return {name: len((folder / name).read_text().splitlines()) for name in LOGS if (folder / name).exists()}
