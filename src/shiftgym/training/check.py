"""Whether a recipe keeps the contract of `training/recipe.py`: what a study relies on, tried out on points-0.

findings = check_recipe("my_package.my_module:MyRecipe")
assert all(finding.ok for finding in findings)
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.layout import BranchFolder
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.paths import reading_path
from shiftgym.models.ledger import ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import adapter_weights
from shiftgym.models.microbatches import Microbatch
from shiftgym.placement import Placement
from shiftgym.tasks.check import Finding, first_fault
from shiftgym.tasks.registry import build_task
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.registry import load_recipe, recipe_settings
from shiftgym.training.trainer import TrainingResult, prepare_model, train

SMALL = {"problems": 8, "batch": 4, "episodes_per_iteration": 8, "minibatch": 4, "group_size": 4, "max_new_tokens": 64}
"""Settings of the trial, of those that the recipe has. They keep it to a few seconds."""

ON_CPU = Placement(device="cpu")

SLACK = 1.03
"""What runs through the model may exceed the ledger by this factor."""


def check_recipe(
    name: str,
    *,
    settings: Mapping[str, Any] | None = None,
    model: str = "points-0",
    seed: int = 0,
    placement: Placement = ON_CPU,
) -> list[Finding]:
    """Try out the recipe of that name in two steps on GeneralPoints, a few times over.

    Args:
        name: a shipped recipe, or your own as `package.module:Class`.
        settings: of the recipe, where the small ones of the trial do not suit it.
        model: what is trained. It must solve some problems of GeneralPoints if the recipe learns from right answers.
        seed: of the training.
        placement: where the model runs. On a GPU the same seed need not give the same bytes, so that is the CPU.

    Raises:
        ConfigError: there is no such recipe, or it has no such settings.
    """
    recipe = load_recipe(name)
    small = {key: value for key, value in SMALL.items() if key in recipe.Settings.model_fields}
    values = {**small, **(settings or {})}
    recipe_settings(recipe, values)
    with tempfile.TemporaryDirectory(prefix="shiftgym-") as folder, _one_thread():
        trial = _Trial(recipe, values, model, seed, Path(folder), placement)
        faults = [(check, first_fault(check, trial)) for check in CHECKS]
    return [Finding((check.__doc__ or "").rstrip("."), not fault, fault) for check, fault in faults]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread, as a branch of a study does, so that sums are taken in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Killed(Exception):
    """Simulates kill -9."""


@dataclass(slots=True)
class _Watch:
    """What was observed of a recipe in training."""

    conversations: list[Conversation] = field(default_factory=list)
    trunks: list[tuple[Microbatch, Tensor]] = field(default_factory=list)
    """Last hidden states (B, T, H) of every forward pass that entered a loss; their gradients
    are kept."""
    flops: int = 0
    """Of every pass through the model or a copy of it, as the ledger counts them."""

    def count(self, model: PreTrainedModel) -> None:
        """Count what runs through `model`, as it is prepared, from now on, and through copies made of it."""
        shape = ModelShape.of(model)

        def spend(forward: int, backward: int, output: Tensor) -> None:
            """Count a pass, and the one backward when the gradient reaches its `output`, (B, T, H) or (N, V)."""
            self.flops += forward
            if output.requires_grad:
                output.register_hook(lambda _: self._learned(backward))  # type: ignore[no-untyped-call]

        def trunk(module: Any, _arguments: Any, keywords: dict[str, Any], output: Any) -> None:
            hidden: Tensor = output.last_hidden_state
            rows, tokens, _ = hidden.shape
            context = getattr(keywords.get("past_key_values"), "capacity", tokens)
            sizes = {"rows": rows, "new_tokens": tokens, "context": context, "head_positions": 0}
            forward = shape.forward_flops(**sizes, adapted=bool(adapter_weights(module)))
            spend(forward, shape.backward_flops(**sizes), hidden)

        def head(_module: Any, _arguments: Any, output: Tensor) -> None:
            """`output`: logits, (N, V)."""
            tokens = output.shape[:-1].numel()
            spend(2 * shape.head_weights * tokens, 2 * shape.backward.head_weights * tokens, output)

        model.base_model.register_forward_hook(trunk, with_kwargs=True)
        model.get_output_embeddings().register_forward_hook(head)  # type: ignore[no-untyped-call]

    def _learned(self, flops: int) -> None:
        self.flops += flops


class _Trial:
    """A recipe under trial."""

    def __init__(
        self,
        recipe: type[Recipe],
        settings: dict[str, Any],
        model: str,
        seed: int,
        folder: Path,
        placement: Placement,
    ) -> None:
        self.recipe, self.settings, self.model, self.seed, self.folder = recipe, settings, model, seed, folder
        self.placement = placement
        self.watch = _Watch()

    @cached_property
    def chat_format(self) -> ChatFormat:
        return load_policy(self.model, **self.placement.options)[1]

    @cached_property
    def straight(self) -> TrainingResult:
        """Two steps without a break, watched."""
        settings = recipe_settings(self.recipe, self.settings)
        model, chat_format = load_policy(self.model, **self.placement.options, merged=settings.lora is None)
        prepare_model(model, settings, self.seed)
        # The model is tried out before it is watched; no ledger counts that.
        reading_path(model, chat_format)
        self.watch.count(model)
        return self.train("straight", _watched(self.recipe, self.watch), watched=(model, chat_format))

    def train(
        self,
        name: str,
        recipe: type[Recipe] | None = None,
        on_step: Callable[[dict[str, Any]], None] | None = None,
        watched: tuple[PreTrainedModel, ChatFormat] | None = None,
    ) -> TrainingResult:
        return train(
            watched or self.model,
            recipe or self.recipe,
            build_task("points", options={"limit": 2}),
            settings=self.settings,
            folder=self.folder / name,
            steps=2,
            milestones=(0.5, 1.0),
            seed=self.seed,
            on_step=on_step,
            placement=self.placement,
        )

    def differences(self, name: str) -> Iterator[str]:
        """What the straight run and this one wrote differently."""
        result = self.straight
        other, straight = BranchFolder(self.folder / name), BranchFolder(self.folder / "straight")
        if other.metrics.read_bytes() != straight.metrics.read_bytes():
            yield f"{straight.metrics.name} differs"
        for checkpoint in result.checkpoints:
            folders = [folder.checkpoint(checkpoint.step).path for folder in (other, straight)]
            weights = [[path.read_bytes() for path in sorted(of.glob("*.safetensors"))] for of in folders]
            if weights[0] != weights[1]:
                yield f"the weights after step {checkpoint.step} differ"


def _watched(recipe: type[Recipe], watch: _Watch) -> type[Recipe]:
    """The same recipe, with every step recorded in `watch`."""

    class Watched(recipe):  # type: ignore[misc, valid-type]
        def collect(self, step: int) -> Collection:
            collection: Collection = super().collect(step)
            watch.conversations += [each for group in collection.groups for each in group]
            return collection

        def loss(self, scores: Any, batch: Microbatch) -> Any:
            def keep(_module: Any, _arguments: Any, output: Any) -> None:
                note(output.last_hidden_state)

            def note(hidden: Tensor) -> None:
                """Keep the gradient of (B, T, H) last hidden states."""
                if hidden.requires_grad:
                    hidden.retain_grad()
                    watch.trunks.append((batch, hidden))

            note(scores.hidden)
            more = self.player.model.base_model.register_forward_hook(keep)
            result = super().loss(scores, batch)
            more.remove()
            return result

    return Watched


def _same_seed(trial: _Trial) -> Iterator[str]:
    """The same seed gives the same bytes of metrics and weights."""
    _ = trial.straight
    trial.train("again")
    yield from trial.differences("again")


def _resumed(trial: _Trial) -> Iterator[str]:
    """Killed after a checkpoint and resumed, it writes the same bytes."""

    def kill(metrics: dict[str, Any]) -> None:
        if metrics["step"] == 2:
            raise _Killed

    _ = trial.straight
    try:
        trial.train("killed", on_step=kill)
    except _Killed:
        trial.train("killed")
    yield from trial.differences("killed")


def _answers_only(trial: _Trial) -> Iterator[str]:
    """What is trained are answers, never tokens of a prompt or of feedback."""
    _ = trial.straight
    opening = _opening(trial.chat_format)
    for conversation in trial.watch.conversations:
        for start, stop in conversation.spans:
            answer = conversation.ids[start:stop]
            if not 0 < start < stop <= len(conversation.ids):
                yield f"the span {start} to {stop} is no part of a conversation of {len(conversation.ids)} tokens"
            if conversation.ids[start - len(opening) : start] != opening:
                yield f"the span {start} to {stop} does not begin where an answer begins"
            if any(answer[at : at + len(opening)] == opening for at in range(len(answer))):
                yield f"the span {start} to {stop} runs on into the next answer, across the message between them"


def _gradient(trial: _Trial) -> Iterator[str]:
    """There is a gradient where an answer token is predicted, and nowhere else."""
    _ = trial.straight
    for batch, hidden in trial.watch.trunks:
        if hidden.grad is None:
            continue
        predicts = torch.zeros(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        if hidden.shape[:2] == batch.packed.ids.shape:
            predicts[batch.predictors] = True
        wrong = int((hidden.grad.abs().sum(-1) > 0)[~predicts].sum())
        if wrong:
            yield f"{wrong} tokens of prompts, feedback or padding are learned from"
    if not any(hidden.grad is not None and bool(hidden.grad.any()) for _, hidden in trial.watch.trunks):
        yield "no token of two steps had a gradient, so nothing was learned"


def _on_the_ledger(trial: _Trial) -> Iterator[str]:
    """Every pass through the model is on the ledger."""
    charged = trial.straight.ledger.flops
    if trial.watch.flops > SLACK * charged:
        yield f"{trial.watch.flops:.4g} FLOPs ran through it, {charged:.4g} are charged; let self.player run it"


def _finite(trial: _Trial) -> Iterator[str]:
    """Losses, gradients and weights are finite."""
    _ = trial.straight
    for line in BranchFolder(trial.folder / "straight").metrics.read_text().splitlines():
        for name, value in json.loads(line).items():
            if not math.isfinite(value):
                yield f"{name} is {value}"


Check = Callable[[_Trial], Iterator[str]]

CHECKS: tuple[Check, ...] = (_same_seed, _resumed, _answers_only, _gradient, _on_the_ledger, _finite)


def _opening(chat_format: ChatFormat) -> list[int]:
    """The tokens right before every answer: the common end of what precedes it for two different messages."""
    one, other = (chat_format.reply([user(text)]) for text in ("a", "7"))
    size = next(n for n in range(1, len(one) + 1) if one[-n:] != other[-n:]) - 1
    return one[len(one) - size :]
