"""What a group of ranks learns, to be compared with what one process learns.

Each case samples answers and learns from them or from the expert's, with updates of its own loop, as the training loop
makes them.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shiftgym.batching import BatchLimit
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.gradient_sums import clip_gradients, dealt, sum_gradients, weights_are_finite
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import adapt
from shiftgym.models.microbatches import Microbatch
from shiftgym.models.optimizers import Name, Optimizer
from shiftgym.models.parallel import Ranks
from shiftgym.models.player import Player
from shiftgym.models.score import Scores
from shiftgym.models.sharding import (
    gathered,
    is_part,
    is_sharded,
    load_weights,
    local_tensor,
    whole_state,
    whole_tensor,
)
from shiftgym.models.spreading import deal_out
from shiftgym.tasks.registry import build_task
from shiftgym.training.losses import clipped_policy_loss, value_loss


@dataclass(frozen=True)
class Case:
    """One way to train."""

    model: str
    """A shipped backbone, or `seeing:KIND` or `text:FAMILY` for a tiny random model."""
    reinforced: bool = False
    """Learns from sampled answers by the clipped objective with a critic and the exact divergence from the start."""
    optimizer: Name = "adamw"
    lora: bool = False
    again: bool = False
    """Layers run again in the backward pass."""
    scalar: bool = False
    """One more weight, a number by which the last states are multiplied. It cannot be cut up."""
    dtype: str = "float32"
    updates: int = 2


CASES = {
    "sft, Muon": Case("points-0", optimizer="muon"),
    "sft, LoRA": Case("points-0", lora=True),
    "ppo": Case("points-0", reinforced=True, again=True, scalar=True),
    "ppo, pictures": Case("points-vision-0", reinforced=True),
    "plain": Case("text:Bloom", reinforced=True, dtype="bfloat16", updates=1),
    "plain, whole": Case("text:Llama 4 (text)", reinforced=True, updates=1),
    "plain, pictures": Case("seeing:mllama", reinforced=True, updates=1),
    "positions of pictures": Case("seeing:qwen2_5_vl", reinforced=True, updates=1),
}
FEW = ("sft, Muon", "sft, LoRA", "ppo", "ppo, pictures")
"""Those that are tried on more than two ranks."""

SAVED: tuple[Name, ...] = ("muon", "adamw8bit")
"""Optimizers whose states go from one number of ranks to another. With Muon goes AdamW."""


def loaded(case: Case) -> tuple[Any, ChatFormat]:
    kind, _, name = case.model.partition(":")
    if kind == "text":
        from tests.models.families import make_text_model, tokenizer

        model = make_text_model(name)
        model.set_attn_implementation("eager")
        model.to(getattr(torch, case.dtype))
        return model, ChatFormat(tokenizer(), model.generation_config)
    if kind == "seeing":
        from tests.models.seeing_families import make_seeing

        model, reader = make_seeing(name)
        return model, ChatFormat.of(model, reader)
    return load_policy(case.model)


def player_of(case: Case, ranks: Ranks) -> tuple[Player, Player]:
    """Who learns, and its start; dealt out."""
    model, chat_format = loaded(case)
    if case.lora:
        adapt(model, rank=4, alpha=8, targets="all-linear", seed=0)
    if case.scalar:
        model.model.norm.factor = nn.Parameter(torch.tensor(1.1))
        model.model.norm.register_forward_hook(lambda norm, _, states: states * norm.factor)
    model.eval()
    modality = "text" if chat_format.pictures is None else "vision"
    task = build_task("points", options={"limit": 2, "modality": modality})
    player = Player(
        model, chat_format, task, seed=3, ledger=Ledger(ModelShape.of(model)), max_new_tokens=8, ranks=ranks,
        pass_limit=BatchLimit(250), gradient_checkpointing=case.again,
    )  # fmt: skip
    start = player.frozen()
    player = player.with_value_head()
    deal_out(model, chat_format, ranks)
    return player, start


def conversations_of(case: Case, player: Player) -> list[Conversation]:
    if not case.reinforced:
        return [each for index in range(9) for each in player.expert("train", index)]
    # Two episodes of each of five problems.
    indices = [index // 2 for index in range(10)]
    played = player.play("train", indices, [["test", each] for each in range(10)], limit=2)
    found = []
    for at, conversation in enumerate(player.conversations(played)):
        sizes = [stop - start for start, stop in conversation.spans]
        weights = [(-1.0) ** (at + attempt) for attempt, size in enumerate(sizes) for _ in range(size)]
        found.append(replace(conversation, weights=weights, returns=[0.1 * (at % 7)] * len(sizes)))
    return found


def loss_of(case: Case, player: Player, scores: Scores, start: Scores | None, batch: Microbatch) -> Tensor:
    """A scalar."""
    if start is None:
        return -(batch.weights * scores.logprobs).sum() / batch.minibatch_answer_tokens
    assert player.value_head is not None
    policy, _ = clipped_policy_loss(scores.logprobs, batch.logprobs, batch.weights, 0.2)
    values = player.value_head(scores.hidden[batch.attempts])
    terms = (policy + 0.1 * scores.divergence(start)).sum() / batch.minibatch_answer_tokens
    return terms + value_loss(values, batch.returns).sum() / batch.minibatch_attempts


def update(case: Case, player: Player, start: Player, conversations: list[Conversation]) -> None:
    """Compute the gradients of a minibatch and charge them."""
    ranks, before = player.ranks, player.ledger.snapshot()
    for each in dealt(player.passes(conversations), ranks):
        batch = player.collated(each.rows, conversations, each.width)
        scores, others = player.score(batch), None
        if case.reinforced:
            with torch.no_grad():
                others = start.score(batch)
        (each.weight * loss_of(case, player, scores, others, batch)).backward()
        if each.weight:
            player.charge(batch, head=scores.head_tokens, backward=True)
    sum_gradients(modules_of(player), ranks)
    ranks.add_up(player.ledger, before)


def modules_of(player: Player) -> list[nn.Module]:
    assert player.value_head is not None
    return [player.model, player.value_head]


def named(player: Player, of: Callable[[nn.Parameter], Any]) -> dict[str, Tensor]:
    """What is asked of each trained weight, whole."""
    return {
        f"{number}.{name}": whole_tensor(of(weight)).clone()
        for number, module in enumerate(modules_of(player))
        for name, weight in module.named_parameters()
        if weight.requires_grad and of(weight) is not None
    }


def learned(name: str, ranks: Ranks) -> dict[str, Any]:
    """What one case comes to."""
    case = CASES[name]
    player, start = player_of(case, ranks)
    conversations = conversations_of(case, player)
    optimizer = Optimizer([(each, 1.0) for each in modules_of(player)], case.optimizer, 1e-3, ranks=ranks)
    found: dict[str, Any] = {
        "answers": [[each.ids[at] for a, b in each.spans for at in range(a, b)] for each in conversations],
        "sampled": [each.logprobs for each in conversations],
        "scored": player.logprobs(conversations),
        "values": player.values(conversations),
        "norms": [],
    }
    for number in range(case.updates):
        update(case, player, start, conversations)
        if not number:
            found["gradients"] = named(player, lambda weight: weight.grad)
        found["norms"] += [clip_gradients(module, 0.5) for module in modules_of(player)]
        assert weights_are_finite(modules_of(player), ranks)
        optimizer.step()
        optimizer.zero_grad()
    found["divergences"] = player.divergences(conversations, start.model)
    found["weights"] = named(player, lambda weight: weight)
    found["ledger"] = player.ledger.record()
    return found


def go_on(optimizer: Name, ranks: Ranks, start: Path | None, end: Path) -> None:
    """Make one update from what was saved in `start`, if anything was, and save what it comes to in `end`."""
    case = Case("points-0", optimizer=optimizer)
    player, kept = player_of(case, ranks)
    made = Optimizer([(each, 1.0) for each in modules_of(player)], optimizer, 1e-3, ranks=ranks)
    if start is not None:
        load_weights(player.model, start)
        made.load_state_dict(torch.load(start / "optimizer.pt"))
    update(case, player, kept, conversations_of(case, player))
    made.step()
    save(player, end)
    states = made.state_dict()
    if ranks.first:
        torch.save(states, end / "optimizer.pt")


def save(player: Player, folder: Path) -> None:
    weights = whole_state(player.model, player.ranks)
    if player.ranks.first:
        player.model.save_pretrained(folder, state_dict=weights)
    player.ranks.wait()


def places(ranks: Ranks) -> dict[str, Any]:
    """Where the weights of a model are, before, within and after `gathered`."""
    player, _ = player_of(Case("points-0"), ranks)
    model, found = player.model, []

    def look() -> None:
        parts = sum(is_part(weight) for weight in model.parameters())
        kept = (each for module in model.modules() for each in (module._forward_pre_hooks, module._forward_hooks))
        hooks = sum("fsdp" in hook.__module__ for each in kept for hook in each.values())
        found.append((parts, hooks, is_sharded(model)))

    look()
    with gathered(model):
        look()
        with gathered(model):
            look()
        look()
    look()
    with pytest.raises(ZeroDivisionError), gathered(model):
        raise ZeroDivisionError
    look()
    bytes_held = sum(local_tensor(weight).nbytes for weight in model.parameters())
    if ranks.rank == ranks.count - 1:
        local_tensor(next(model.parameters()))[0, 0] = torch.nan
    return {"seen": found, "bytes": bytes_held, "finite": weights_are_finite([model], ranks)}


def learn_all(folder: Path, names: tuple[str, ...], start: Path | None) -> None:
    """Some cases on the ranks of this group, and an update of each optimizer from what is in `start`."""
    warnings.simplefilter("error")
    ranks = Ranks.joined("cpu")
    found = {name: learned(name, ranks) for name in names}
    found["places"] = places(ranks)
    for name in SAVED:
        go_on(name, ranks, start and start / name, folder / name)
    if start is None:
        save(player_of(Case("points-0"), ranks)[0], folder / "saved")
    if ranks.rank in (0, ranks.count - 1):
        torch.save(found, folder / ("first.pt" if ranks.first else "last.pt"))
    ranks.wait()
    torch.distributed.destroy_process_group()
