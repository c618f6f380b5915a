"""The one training loop. A recipe says what to learn from and how tokens are weighted; the rest is here.

Everything random is derived from the seed and the step, so a run that was killed and resumed writes the same bytes
to metrics.jsonl as one that was not (same machine, same versions).
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from shiftgym import seeds
from shiftgym.episodes import Episode
from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.files import append_lines
from shiftgym.layout import BranchFolder
from shiftgym.models.chat import ChatFormat
from shiftgym.models.ledger import OTHER_BUFFER_FACTOR, PAPER_BUFFER_FACTORS, Ledger, ModelShape
from shiftgym.models.microbatches import Conversation, microbatches
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.pictures import freeze
from shiftgym.models.prefixes import branching
from shiftgym.tasks.base import Task
from shiftgym.training import checkpoints
from shiftgym.training.checkpoints import CheckpointInfo
from shiftgym.training.distill import Distill
from shiftgym.training.dpo import DPO
from shiftgym.training.group import Group
from shiftgym.training.ppo import PPO
from shiftgym.training.recipe import Collection, Context, Recipe
from shiftgym.training.replay import Replay
from shiftgym.training.rft import RFT
from shiftgym.training.settings import (
    FLOPS,
    Accounting,
    AnySettings,
    DistillSettings,
    DPOSettings,
    GroupSettings,
    PPOSettings,
    ReplaySettings,
    RFTSettings,
    RolloutSettings,
    SFTSettings,
)
from shiftgym.training.sft import SFT

OnCheckpoint = Callable[[CheckpointInfo, PreTrainedModel], None]
OnStep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a finished branch came to."""

    steps: int
    ledger: Ledger
    checkpoints: list[CheckpointInfo]


def train(
    model: PreTrainedModel,
    chat_format: ChatFormat,
    task: Task,
    settings: AnySettings,
    *,
    seed: int,
    folder: Path,
    budget_flops: float | None = None,
    accounting: Accounting = "executed",
    max_steps: int | None = None,
    milestones: Sequence[float] = (1.0,),
    on_checkpoint: OnCheckpoint | None = None,
    on_step: OnStep | None = None,
) -> TrainingResult:
    """Train `model` in place until its compute or steps are spent, or go on from the last checkpoint in `folder`.

    Args:
        model: the weights that the branch starts from, also when it is resumed: KL is measured from them.
        budget_flops: the branch ends with the first step that has spent this much.
        accounting: the FLOPs that `budget_flops` speaks of.
        max_steps: the branch ends after this many steps. At least one of the two; with both, the first that is reached.
        milestones: fractions of the run at whose end a checkpoint is written; the end always is one. Milestones that
            one step passes together share a checkpoint, named after the last of them.
        on_checkpoint: called after a checkpoint was written, and again for the last one when a run is resumed (it may
            have been killed in the middle of the call). Training goes on when it returns.
        on_step: called with each line of metrics.jsonl.

    Raises:
        ConfigError: neither a budget nor a number of steps was given, or one of no use.
        TrainingStopped: a loss, gradient or weight is no longer finite. The update was not made.
    """
    spans = [span for span in (budget_flops, max_steps) if span is not None]
    if not spans or min(spans) <= 0:
        raise ConfigError(f"training needs a positive budget_flops or max_steps, not {budget_flops} and {max_steps}")
    # Dropout would make the probabilities in training differ from those of generation.
    model.eval()  # type: ignore[no-untyped-call]
    if settings.precision == "bfloat16" and model.device.type == "cpu":
        # In bfloat16 the backward pass of the fused attention is slow on CPUs: plain attention is nearly twice as fast.
        model.set_attn_implementation("eager")
    freeze(model, settings.frozen)
    folder.mkdir(parents=True, exist_ok=True)
    written = checkpoints.existing(folder)
    ledger = replace(written[-1].ledger) if written else Ledger(ModelShape.of(model), _buffer_factor(settings, task))
    context = Context(model, chat_format, task, seed, ledger)
    loop = _Loop(context, settings, folder, budget_flops, accounting, max_steps)
    if written:
        loop.resume(written[-1])
        if on_checkpoint is not None:
            on_checkpoint(written[-1], model)
    else:
        checkpoints.rewind(folder, {})

    ahead = [fraction for fraction in sorted({*milestones, 1.0}) if not written or fraction > written[-1].fraction]
    while ahead:
        metrics, episodes = loop.advance()
        if on_step is not None:
            on_step(metrics)
        reached = [fraction for fraction in ahead if fraction <= loop.fraction]
        if reached:
            ahead = ahead[len(reached) :]
            written.append(loop.checkpoint(reached[-1], episodes))
            if on_checkpoint is not None:
                on_checkpoint(written[-1], model)
    return TrainingResult(loop.step, ledger, written)


def _buffer_factor(settings: AnySettings, task: Task) -> float:
    """Answers that are sampled once, before the first step, are no part of the paper's formula."""
    sampled = isinstance(settings, RolloutSettings) or (isinstance(settings, RFTSettings) and settings.refresh)
    return PAPER_BUFFER_FACTORS.get(task.name, OTHER_BUFFER_FACTOR) if sampled else 0.0


def _recipe(context: Context, settings: AnySettings) -> Recipe:
    match settings:
        case SFTSettings():
            return SFT(context, settings)
        case RFTSettings():
            return RFT(context, settings)
        case ReplaySettings():
            return Replay(context, settings)
        case DPOSettings():
            return DPO(context, settings)
        case DistillSettings():
            return Distill(context, settings)
        case PPOSettings():
            return PPO(context, settings)
        case GroupSettings():
            return Group(context, settings)


class _Loop:
    """The state of one branch in training."""

    def __init__(
        self,
        context: Context,
        settings: AnySettings,
        folder: Path,
        budget_flops: float | None,
        accounting: Accounting,
        max_steps: int | None,
    ) -> None:
        self.step = 0
        self._context, self._settings, self._folder = context, settings, folder
        self._budget_flops, self._accounting, self._max_steps = budget_flops, accounting, max_steps
        self._recipe = _recipe(context, settings)
        self._modules: list[nn.Module] = [context.model]
        rates = [1.0]
        if self._recipe.head is not None:
            self._modules.append(self._recipe.head)
            rates.append(self._recipe.head_rate)
        options = settings.optimizer
        self._optimizer = Optimizer(
            list(zip(self._modules, rates, strict=True)),
            options.name,
            options.learning_rate,
            options.weight_decay,
            options.betas,
        )

    @property
    def fraction(self) -> float:
        """How much of the run is done, by the limit that is nearer."""
        done = [0.0]
        if self._budget_flops is not None:
            done.append(getattr(self._context.ledger, FLOPS[self._accounting]) / self._budget_flops)
        if self._max_steps is not None:
            done.append(self.step / self._max_steps)
        return min(max(done), 1.0)

    def resume(self, checkpoint: CheckpointInfo) -> None:
        checkpoints.restore(self._folder, checkpoint, self._context, self._recipe, self._optimizer)
        self.step = checkpoint.step

    def checkpoint(self, fraction: float, episodes: list[Episode]) -> CheckpointInfo:
        """Write a checkpoint, and the training episodes of the step that led to it."""
        records = [{"step": self.step, **episode.record()} for episode in episodes]
        append_lines(BranchFolder(self._folder).episodes, records)
        return checkpoints.save(
            self._folder, self._context, self._recipe, self._optimizer, step=self.step, fraction=fraction
        )

    def advance(self) -> tuple[dict[str, Any], list[Episode]]:
        """One step: collect, then learn. Returns its line of metrics.jsonl and the episodes that were played."""
        rate = self._settings.optimizer.rate(self.fraction)
        self._optimizer.set_learning_rate(rate)
        self.step += 1
        if not all(weight.isfinite().all() for module in self._modules for weight in module.parameters()):
            raise self._stopped("a weight")
        started = time.perf_counter()
        collection = self._recipe.collect(self.step)
        collected = time.perf_counter()
        learned = self._learn(collection)
        ledger = self._context.ledger
        metrics = {
            "step": self.step,
            "flops": ledger.flops,
            "flops_paper": ledger.flops_paper,
            "tokens_trained": ledger.tokens_trained,
            "tokens_generated": ledger.tokens_generated,
            "learning_rate": rate,
            **learned,
            **collection.metrics,
        }
        times = {"collect": collected - started, "learn": time.perf_counter() - collected}
        append_lines(BranchFolder(self._folder).metrics, [metrics])
        append_lines(BranchFolder(self._folder).timings, [{"step": self.step, **times}])
        return metrics, collection.episodes

    def _learn(self, collection: Collection) -> dict[str, float]:
        """All optimizer steps of one step, none if there is nothing to learn from; the mean of their metrics."""
        recipe, size = self._recipe, self._recipe.minibatch
        updates: list[dict[str, float]] = []
        for epoch in range(recipe.epochs):
            order = seeds.rng(self._context.seed, "train", self._settings.recipe, self.step, "shuffle", epoch)
            shuffled = order.sample(collection.sequences, len(collection.sequences))
            updates += [self._update(shuffled[start : start + size]) for start in range(0, len(shuffled), size)]
        return {name: fmean(update[name] for update in updates) for name in updates[0]} if updates else {}

    def _update(self, minibatch: list[list[Conversation]]) -> dict[str, float]:
        """One optimizer step; nothing is changed unless loss and gradients are finite."""
        self._optimizer.zero_grad()
        shares: list[dict[str, Tensor]] = []
        model, size, pictures = self._context.model, self._settings.tokens_per_pass, self._context.chat_format.pictures
        sequences = [sequence for several in minibatch for sequence in several]
        for batch in microbatches(sequences, size, model.device, trees=branching(model), pictures=pictures):
            loss, metrics = self._recipe.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            shares.append({"loss": loss.detach(), **{name: value.detach() for name, value in metrics.items()}})
            rows, length = batch.packed.ids.shape
            ledger = self._context.ledger
            ledger.trained(rows=rows, length=length, head_positions=batch.answer_tokens, tokens=batch.tokens)
            ledger.encoded(
                self._context.chat_format.flops(batch.packed.shown), learned="vision" not in self._settings.frozen
            )
        sums = {name: float(torch.stack([share[name] for share in shares]).sum()) for name in shares[0]}
        # A value head reads detached states, so its gradient says nothing of the model's: each is clipped on its own.
        limit = self._settings.optimizer.max_grad_norm
        norms = [float(nn.utils.clip_grad_norm_(module.parameters(), limit)) for module in self._modules]
        if not math.isfinite(sums["loss"]):
            raise self._stopped("the loss")
        if not all(math.isfinite(norm) for norm in norms):
            raise self._stopped("a gradient")
        self._optimizer.step()
        return {**sums, "grad_norm": norms[0]}

    def _stopped(self, what: str) -> TrainingStopped:
        good = checkpoints.existing(self._folder)
        last = f"the last good checkpoint is {good[-1].path}" if good else "there is no checkpoint yet"
        return TrainingStopped(f"step {self.step}: {what} is not finite, so training stopped before the update; {last}")
