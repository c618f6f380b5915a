"""The one training loop. A recipe says what to learn from and how tokens are weighted; the rest is here: minibatches,
the KL term, the critic, the optimizer, the compute ledger, and the checkpoints.

Everything random is derived from the seed and the step, so a run that was killed and resumed writes the same bytes
to metrics.jsonl as one that was not (same machine, same versions).
"""

import math
import time
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain
from operator import add
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from shiftgym import seeds
from shiftgym.batching import needing_memory, within_memory
from shiftgym.episodes import Episode
from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.files import append_lines
from shiftgym.layout import BranchFolder
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.workspace import workspace
from shiftgym.models.gradient_sums import Dealt, clip_gradients, dealt, sum_gradients, weights_are_finite
from shiftgym.models.microbatches import Microbatch
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.score import Scores
from shiftgym.models.sharding import give_up
from shiftgym.training import checkpoints
from shiftgym.training.checkpoints import CheckpointInfo
from shiftgym.training.losses import kl_divergence, value_loss
from shiftgym.training.recipe import Recipe
from shiftgym.training.rollouts import require_answers
from shiftgym.training.settings import FLOPS, Accounting

BEFORE = "is not finite, so training stopped before the update"

SMALLER = "train an adapter (lora) or a smaller model"
"""What helps where memory is short, whatever takes it."""

LOWER = "lower tokens_per_pass, or turn on gradient_checkpointing, and resume"
"""What helps where several ranks have no room for a pass."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run ends: at the first of these that is reached."""

    steps: int | None = None
    flops: float | None = None
    accounting: Accounting = "executed"
    """Which FLOPs `flops` counts."""


class Loop:
    """The state of one branch in training."""

    def __init__(self, recipe: Recipe, folder: Path, limits: Limits) -> None:
        self.step = 0
        self._recipe, self._settings, self._player = recipe, recipe.settings, recipe.player
        self._folder, self._limits, self._ranks = folder, limits, recipe.player.ranks
        self._modules: list[nn.Module] = [self._player.model]
        rates = [1.0]
        if self._player.value_head is not None and recipe.value_rate is not None:
            self._modules.append(self._player.value_head)
            rates.append(recipe.value_rate)
        options = self._settings.optimizer
        self._optimizer = Optimizer(
            list(zip(self._modules, rates, strict=True)),
            options.name,
            options.learning_rate,
            options.weight_decay,
            options.betas,
            self._ranks,
        )

    @property
    def fraction(self) -> float:
        """How much of the run is done, by the limit that is nearer."""
        done = [0.0]
        if self._limits.flops is not None:
            done.append(getattr(self._player.ledger, FLOPS[self._limits.accounting]) / self._limits.flops)
        if self._limits.steps is not None:
            done.append(self.step / self._limits.steps)
        return min(max(done), 1.0)

    @property
    def _exact(self) -> bool:
        """Whether the start scores every pass, for the KL term."""
        return bool(self._recipe.kl) and self._recipe.kl_estimate == "exact"

    def resume(self, checkpoint: CheckpointInfo) -> None:
        checkpoints.restore(self._folder, checkpoint, self._player, self._optimizer)
        self.step = checkpoint.step

    def checkpoint(self, fraction: float, episodes: list[Episode]) -> CheckpointInfo:
        """Write a checkpoint, and the training episodes of the step that led to it."""
        self._log(BranchFolder(self._folder).episodes, [{"step": self.step, **each.record()} for each in episodes])
        return checkpoints.save(self._folder, self._player, self._optimizer, step=self.step, fraction=fraction)

    def advance(self) -> tuple[dict[str, Any], list[Episode]]:
        """One step: collect, then learn. Returns its line of metrics.jsonl and the episodes that were played."""
        rate = self._settings.optimizer.rate(self.fraction)
        self._optimizer.set_learning_rate(rate)
        self.step += 1
        if not weights_are_finite(self._modules, self._ranks):
            raise self._stopped(f"a weight {BEFORE}")
        started = time.perf_counter()
        try:
            collection = self._recipe.collect(self.step)
        except TrainingStopped as stop:
            raise self._stopped(str(stop)) from None
        require_answers(chain(*collection.groups))
        groups = self.referred(_learnable(collection.groups))
        collected = time.perf_counter()
        learned = self._learn(groups)
        ledger = self._player.ledger
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
        self._log(BranchFolder(self._folder).metrics, [metrics])
        self._log(BranchFolder(self._folder).timings, [{"step": self.step, **times}])
        return metrics, collection.episodes

    def _log(self, path: Path, records: list[dict[str, Any]]) -> None:
        """Add lines to a log, which the first rank writes."""
        if self._ranks.first:
            append_lines(path, records)

    def referred(self, groups: list[list[Conversation]]) -> list[list[Conversation]]:
        """The same conversations with the log-probabilities of the start, where the KL term is estimated from them."""
        if not self._recipe.kl or self._exact:
            return groups
        references = iter(self._recipe.start.logprobs(list(chain(*groups))))
        return [[replace(each, reference=next(references)) for each in group] for group in groups]

    def _learn(self, groups: list[list[Conversation]]) -> dict[str, float]:
        """All optimizer steps of one step, none if there is nothing to learn from; the mean of their metrics."""
        size = self._recipe.minibatch or max(1, len(groups))
        updates: list[dict[str, float]] = []
        for epoch in range(self._recipe.epochs):
            order = seeds.rng(self._player.seed, "train", self._recipe.name, self.step, "shuffle", epoch)
            shuffled = order.sample(groups, len(groups))
            updates += [self._update(shuffled[start : start + size]) for start in range(0, len(shuffled), size)]
        return {name: fmean(update[name] for update in updates) for name in updates[0]} if updates else {}

    def _update(self, minibatch: list[list[Conversation]]) -> dict[str, float]:
        """One optimizer step; nothing is changed unless loss and gradients are finite."""
        shares = self._gradients(list(chain(*minibatch)))
        own = {name: float(torch.stack([share[name] for share in shares]).sum()) for name in shares[0]}
        of_ranks = self._ranks.exchanged(own)
        sums = {name: reduce(add, [each[name] for each in of_ranks]) for name in own}
        # A value head reads detached states, so its gradient is separate from the model's, and each is clipped on its
        # own.
        limit = self._settings.optimizer.max_grad_norm
        norms = [clip_gradients(module, limit) for module in self._modules]
        if not math.isfinite(sums["loss"]):
            raise self._stopped(f"the loss {BEFORE}")
        if not all(math.isfinite(norm) for norm in norms):
            raise self._stopped(f"a gradient {BEFORE}")
        with needing_memory(f"the states of the optimizer do not fit; {SMALLER}, or choose optimizer.name = adamw8bit"):
            self._optimizer.step()
        # Answers have the room of the gradients.
        self._optimizer.zero_grad()
        return {**sums, "grad_norm": norms[0]}

    def _gradients(self, conversations: list[Conversation]) -> list[dict[str, Tensor]]:
        """Compute the gradients of a minibatch; the loss and metrics of each pass of this rank, scalars.

        A pass that runs out of memory may have added to some of the gradients. So all passes are made again, half as
        large, and only those that are learned from are charged. Several ranks cannot do so, since the others wait for
        the pass.
        """
        player, ledger, ranks = self._player, self._player.ledger, self._ranks
        before = ledger.snapshot()
        while True:
            self._optimizer.zero_grad()
            shares: list[dict[str, Tensor]] = []
            for each in dealt(player.passes(conversations), ranks):
                share = within_memory(partial(self._backward, each, conversations))
                if share is None:
                    break
                shares.append(share)
            else:
                if self._exact:
                    give_up(self._recipe.start.model)
                sum_gradients(self._modules, ranks)
                ranks.add_up(ledger, before)
                return shares
            if not ranks.alone:
                raise ConfigError(f"out of memory: {each.tokens} tokens do not fit; {LOWER}")
            self._optimizer.zero_grad()
            workspace(player.model).release()
            ledger.restore(before)
            player.halve(each.rows, f"{SMALLER}, lower max_new_tokens, or turn on gradient_checkpointing")

    def _backward(self, dealt: Dealt, conversations: list[Conversation]) -> dict[str, Tensor]:
        """Add the gradients of one pass; its loss and metrics, scalars."""
        weight = dealt.weight
        batch = self._player.collated(dealt.rows, conversations, dealt.width)
        scores, start = self.score(batch)
        loss, metrics = self.loss(batch, scores, start)
        (weight * loss).backward()  # type: ignore[no-untyped-call]
        if weight:
            if start is not None:
                self._recipe.start.charge(batch, head=start.head_tokens)
            self._player.charge(batch, head=scores.head_tokens, backward=True)
        return {name: weight * value.detach() for name, value in {"loss": loss, **metrics}.items()}

    def score(self, batch: Microbatch) -> tuple[Scores, Scores | None]:
        """Scores of a microbatch, and those of the start where the KL term is exact; neither is charged."""
        temperature = self._recipe.temperature
        scores = self._player.score(batch, temperature=temperature)
        if not self._exact:
            return scores, None
        with torch.no_grad():
            return scores, self._recipe.start.score(batch, temperature=temperature)

    def loss(self, batch: Microbatch, scores: Scores, start: Scores | None) -> tuple[Tensor, dict[str, Tensor]]:
        """This microbatch's share of the minibatch's whole loss, a scalar, and of each metric, scalars too; the
        arguments as `score` gives them."""
        recipe = self._recipe
        loss, metrics = recipe.loss(scores, batch)
        if recipe.kl:
            estimate = kl_divergence(scores.logprobs, batch.reference) if start is None else scores.divergence(start)
            metrics["kl"] = estimate.sum() / batch.minibatch_answer_tokens
            loss = loss + recipe.kl * metrics["kl"]
        if self._player.value_head is not None:
            values = self._player.value_head(scores.hidden[batch.attempts])
            metrics["value_loss"] = value_loss(values, batch.returns).sum() / batch.minibatch_attempts
            loss = loss + metrics["value_loss"]
        return loss, metrics

    def _stopped(self, why: str) -> TrainingStopped:
        good = checkpoints.existing(self._folder)
        last = f"the last good checkpoint is {good[-1].path}" if good else "there is no checkpoint yet"
        return TrainingStopped(f"step {self.step}: {why}; {last}")


def _learnable(groups: list[list[Conversation]]) -> list[list[Conversation]]:
    """The groups without conversations in which nothing was answered: their prompts did not fit the model."""
    kept = [[each for each in group if each.answer_tokens] for group in groups]
    return [group for group in kept if group]
