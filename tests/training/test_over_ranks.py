"""Several ranks train one model as one process does, but for rounding."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.groups import run_group
from tests.training.conftest import Repeat, tiny_model, tokenizer
from tests.training.runs import LORA, MUON, OWN, PPO, SFT, Run, lines

from shiftgym.errors import TrainingStopped
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.models.sharding import is_part, local_tensor
from shiftgym.studies.config import load_study
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.registry import load_recipe, recipe_settings
from shiftgym.training.trainer import make_recipe, train

pytestmark = pytest.mark.slow

GROUP: dict[str, Any] = {
    "episodes_per_iteration": 16, "group_size": 8, "limit": 3, "minibatch": 8, "max_new_tokens": 2,
    "optimizer": SFT[1]["optimizer"],
}  # fmt: skip
SEEING = {"episodes_per_iteration": 6, "minibatch": 4, "max_new_tokens": 48, "epochs": 1, "limit": 2}
RUNS: dict[str, Run] = {
    "sft": ("sft", SFT[1]),
    "sft, adapter": ("sft", {**SFT[1], **LORA}),
    "ppo": PPO,
    "rloo": ("rloo", GROUP),
    "rloo, muon": ("rloo", {**GROUP, "optimizer": MUON}),
    "ppo, pictures": ("ppo", SEEING),
    "dft": ("dft", {**SFT[1], "kl": 0.1}),
    "sft, bfloat16": ("sft", {**SFT[1], "precision": "bfloat16"}),
    "grpo, adapter": ("grpo", {**GROUP, **LORA}),
    "rft": ("rft", {**OWN, "group_size": 16}),
    "replay": ("replay", {**OWN, "tokens_per_pass": 30}),
    "dpo": ("dpo", {**OWN, "group_size": 16}),
    "distill": ("distill", PPO[1]),
}
RESUMED = ["sft", "sft, adapter", "ppo", "rloo, muon"]
BY_THREE = ["sft", "ppo", "rloo"]


CLOSE = 1e-4
"""How far a metric may be from that of one process, as a share of it."""

COARSE = {"rloo, muon": 1e-3, "sft, bfloat16": 1e-2}
"""The same where a difference in the last bit grows. Muon rounds to bfloat16 on its way."""


class Cut(Exception):
    """Ends a training early, on all ranks."""


def train_each(folder: Path, names: Iterable[str], ranks: Ranks = ALONE, last: int = 3) -> None:
    """Train three steps in folders of their own, or only up to step `last`."""

    def cut(metrics: dict[str, Any]) -> None:
        if metrics["step"] > last:
            raise Cut

    for name in names:
        recipe, settings = RUNS[name]
        model, task = (tiny_model(), ChatFormat(tokenizer())), Repeat()
        if "pictures" in name:
            model, task = load_policy("points-vision-0"), load_study("points-vision").build_task()
        options = {"settings": settings, "steps": 3, "milestones": (0.5, 1.0), "on_step": cut, "ranks": ranks}
        try:
            train(model, recipe, task, folder=folder / name, **options)
        except Cut:
            assert last < 3


def check_alike(one: Path, other: Path) -> None:
    """That a training is another one, but for rounding."""
    assert (one / "episodes.jsonl").read_bytes() == (other / "episodes.jsonl").read_bytes(), one.name
    for before, after in zip(lines(one), lines(other), strict=True):
        rounded = {
            name: pytest.approx(value, rel=COARSE.get(one.name, CLOSE), abs=1e-6) for name, value in before.items()
        }
        # Passes of training cost the same. Answers are padded to the longest that is given at the same time, and what
        # prompts have in common is read once by each rank. Here prompts are nearly all that is read.
        rounded["flops"] = pytest.approx(before["flops"], rel=0.15 if before["tokens_generated"] else 0)
        assert after == rounded, f"{one.name}, step {before['step']}"


def check_weights(one: Path, other: Path) -> None:
    """That the last checkpoint has the same files, and the same weights in them but for rounding. AdamW moves a weight
    whose gradient is all rounding by as much as any other, so a few may differ."""
    (_, before), (_, after) = (sorted((folder / "checkpoints").iterdir()) for folder in (one, other))
    assert sorted(path.name for path in before.iterdir()) == sorted(path.name for path in after.iterdir())
    assert (before / "config.json").exists() == ("adapter" not in one.name)
    for path in before.glob("*.safetensors"):
        saved = load_file(after / path.name)
        for name, weight in load_file(path).items():
            assert torch.dist(saved[name], weight) <= 5e-3 * weight.norm() + 1e-5, f"{one.name}: {name}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the trainings of one, two and three ranks, and of one and three that go on with what two began."""
    folder = tmp_path_factory.mktemp("trained")
    run_group(2, two_ranks, folder, folder=folder / "logs of 2")
    for count in (1, 3):
        shutil.copytree(folder / "2, cut", folder / f"{count}, resumed")
    run_group(3, three_ranks, folder, folder=folder / "logs of 3")
    train_each(folder / "1", RUNS)
    train_each(folder / "1, resumed", RESUMED)
    return folder


def two_ranks(folder: Path) -> None:
    ranks = Ranks.joined("cpu")
    train_each(folder / "2", RUNS, ranks)
    train_each(folder / "2, cut", RESUMED, ranks, last=2)
    stop_by_one(folder, ranks)
    keep_start(folder, ranks)


def three_ranks(folder: Path) -> None:
    ranks = Ranks.joined("cpu")
    train_each(folder / "3", BY_THREE, ranks)
    train_each(folder / "3, resumed", RESUMED, ranks)


def stop_by_one(folder: Path, ranks: Ranks) -> None:
    """Write down how each rank ends after one of them has lost its part of a weight."""
    model = tiny_model()

    def spoil(metrics: dict[str, Any]) -> None:
        if ranks.rank == 1:
            local_tensor(model.model.norm.weight)[0] = torch.nan

    options = {"settings": SFT[1], "folder": folder / "stopped", "steps": 3, "on_step": spoil, "ranks": ranks}
    with pytest.raises(TrainingStopped) as stopped:
        train((model, ChatFormat(tokenizer())), "sft", Repeat(), **options)
    (folder / f"stopped {ranks.rank}").write_text(str(stopped.value))


def keep_start(folder: Path, ranks: Ranks) -> None:
    """Write down how many weights of the start each rank has whole after a step with the exact divergence from it."""
    name, settings = RUNS["dft"]
    kind, model = load_recipe(name), tiny_model()
    typed, ledger = recipe_settings(kind, settings), Ledger(ModelShape.of(model))
    made = make_recipe(kind, typed, model, ChatFormat(tokenizer()), Repeat(), seed=0, ledger=ledger, ranks=ranks)
    (folder / "kept").mkdir(exist_ok=True)
    Loop(made, folder / "kept", Limits(steps=1)).advance()
    whole = sum(not is_part(weight) for weight in made.start.model.parameters())
    (folder / f"whole {ranks.rank}").write_text(str(whole))


@pytest.mark.parametrize("count", [2, 3])
def test_ranks_train_as_one_process_does(trained: Path, count: int) -> None:
    for name in RUNS if count == 2 else BY_THREE:
        check_alike(trained / "1" / name, trained / f"{count}" / name)
        check_weights(trained / "1" / name, trained / f"{count}" / name)


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_ranks_goes_on(trained: Path, count: int) -> None:
    for name in RESUMED:
        check_alike(trained / "1" / name, trained / f"{count}, resumed" / name)
        check_weights(trained / "1" / name, trained / f"{count}, resumed" / name)


def test_what_one_rank_loses_stops_all_alike(trained: Path) -> None:
    first, second = (trained / f"stopped {rank}" for rank in range(2))
    assert first.read_text() == second.read_text()
    assert first.read_text().startswith("step 2: a weight is not finite, so training stopped before the update")


def test_no_rank_keeps_whole_weights_of_the_start(trained: Path) -> None:
    assert [(trained / f"whole {rank}").read_text() for rank in range(2)] == ["0", "0"]
