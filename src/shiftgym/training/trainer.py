"""`train`: trains a model with a recipe on a task and writes checkpoints, or resumes from the last of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from shiftgym.batching import BatchLimit, needing_memory
from shiftgym.errors import ConfigError
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.ledger import OTHER_BUFFER_FACTOR, PAPER_BUFFER_FACTORS, Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import adapt, has_adapter
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.models.parts import freeze
from shiftgym.models.player import Player
from shiftgym.models.precision import training_dtype
from shiftgym.models.recompute import check_recomputable
from shiftgym.models.sharding import gathered
from shiftgym.models.spreading import deal_out
from shiftgym.placement import DEFAULT_PLACEMENT, FLOAT16, Placement
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task
from shiftgym.training import checkpoints
from shiftgym.training.checkpoints import CheckpointInfo
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.recipe import Recipe
from shiftgym.training.registry import load_recipe, recipe_settings
from shiftgym.training.settings import Accounting, SamplingSettings, TrainingSettings

OnCheckpoint = Callable[[CheckpointInfo, PreTrainedModel], None]
OnStep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a training ended."""

    steps: int
    ledger: Ledger
    checkpoints: list[CheckpointInfo]


def train(
    model: str | tuple[PreTrainedModel, ChatFormat],
    recipe: str | type[Recipe],
    task: str | Task = "points",
    *,
    folder: str | Path,
    settings: TrainingSettings | Mapping[str, Any] | None = None,
    steps: int | None = None,
    budget_flops: float | None = None,
    accounting: Accounting = "executed",
    seed: int = 0,
    milestones: Sequence[float] = (1.0,),
    on_checkpoint: OnCheckpoint | None = None,
    on_step: OnStep | None = None,
    placement: Placement = DEFAULT_PLACEMENT,
    ranks: Ranks = ALONE,
) -> TrainingResult:
    """Train a model until its steps or compute are spent, or resume from the last checkpoint in `folder`.

    Several processes train one model together if each calls this with its place among them, such as under torchrun:

        train("points-0", "sft", folder="out", steps=100, ranks=Ranks.joined("cpu"))

    The model is then cut up among them, and the first of them writes the files. A run may be resumed by another number
    of processes.

    Args:
        model: what `load_policy` takes, or the pair that it gives, whose model is then trained in place. It has the
            weights that the branch starts from, also when it is resumed: KL is measured from them.
        recipe: a shipped name such as `ppo`, your own as `package.module:Class`, or the class.
        task: a task, or its name, for its default settings.
        folder: where checkpoints and metrics are written.
        settings: of the recipe, as in a study file; what is not given has its default.
        steps: training ends after this many steps. Give this, `budget_flops` or both; the first that is reached counts.
        budget_flops: training ends with the first step that has spent this much.
        accounting: which FLOPs `budget_flops` counts.
        seed: of this training.
        milestones: fractions of the run at whose end a checkpoint is written; the end always is one. Milestones that
            one step passes together share a checkpoint, named after the last of them.
        on_checkpoint: called after a checkpoint was written, and again for the last one when a run is resumed (it may
            have been killed in the middle of the call). Training goes on when it returns. Every rank calls it, with
            whole weights.
        on_step: called with each line of metrics.jsonl, on every rank.
        placement: where a model that is given by name runs, and in which form. Of a pair, what it says of attention
            and gradient checkpointing.
        ranks: this process and those that train with it.

    Raises:
        ConfigError: there is no such model, device, recipe, task or setting, or neither a budget nor a number of steps
            was given, or one that is not positive.
        TrainingStopped: a loss, gradient or weight is no longer finite. The update was not made.
    """
    ends = [end for end in (budget_flops, steps) if end is not None]
    if not ends or min(ends) <= 0:
        raise ConfigError(f"training needs a positive budget_flops or steps, not {budget_flops} and {steps}")
    kind = load_recipe(recipe) if isinstance(recipe, str) else recipe
    typed = recipe_settings(kind, settings)
    played = build_task(task) if isinstance(task, str) else task
    typed.check_installed()
    merged = typed.lora is None
    options = loading_options(placement, ranks)
    network, chat_format = load_policy(model, **options, merged=merged) if isinstance(model, str) else model
    prepare_model(network, typed, seed, ranks)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = checkpoints.existing(folder)
    ledger = replace(written[-1].ledger) if written else Ledger(ModelShape.of(network))
    made = make_recipe(
        kind, typed, network, chat_format, played, seed=seed, ledger=ledger, placement=placement, ranks=ranks
    )

    def reached(checkpoint: CheckpointInfo) -> None:
        if on_checkpoint is not None:
            with gathered(network):
                on_checkpoint(checkpoint, network)

    loop = Loop(made, folder, Limits(steps, budget_flops, accounting))
    if written:
        loop.resume(written[-1])
        reached(written[-1])
    elif ranks.first:
        checkpoints.rewind(folder, {})

    ahead = [fraction for fraction in sorted({*milestones, 1.0}) if not written or fraction > written[-1].fraction]
    while ahead:
        metrics, episodes = loop.advance()
        if on_step is not None:
            on_step(metrics)
        passed = [fraction for fraction in ahead if fraction <= loop.fraction]
        if passed:
            ahead = ahead[len(passed) :]
            written.append(loop.checkpoint(passed[-1], episodes))
            reached(written[-1])
    return TrainingResult(loop.step, ledger, written)


def loading_options(placement: Placement, ranks: Ranks) -> dict[str, Any]:
    """Keyword arguments of `load_policy` for a model that is to be trained. One that is cut up among ranks is loaded on
    the CPU, since no device may have room for the whole."""
    return placement.options if ranks.alone else {**placement.options, "device": "cpu"}


def prepare_model(model: PreTrainedModel, settings: TrainingSettings, seed: int, ranks: Ranks = ALONE) -> None:
    """Make trainable in place what these settings train; an adapter that the model has already is kept.

    Raises:
        ConfigError: the model has no such layers or parts, another adapter, or weights that were to be trained, or cut
            up among ranks, and are quantised, or float16 that was to be trained.
    """
    if getattr(model, "is_quantized", False):
        _check_quantised(settings, ranks)
    freeze(model, settings.frozen)
    if settings.lora is not None:
        adapt(model, **dict(settings.lora), seed=seed)
    elif has_adapter(model):
        raise ConfigError("this model has an adapter that is not merged; train it with lora, or load it merged")
    if any(weight.dtype == torch.float16 for weight in model.parameters() if weight.requires_grad):
        raise ConfigError(f"{FLOAT16}, or train with lora")


def _check_quantised(settings: TrainingSettings, ranks: Ranks) -> None:
    """ConfigError for settings that a model with quantised weights cannot be trained with."""
    if not ranks.alone:
        raise ConfigError(
            "ranks: this model's weights are quantised, so they cannot be cut up among several ranks; set ranks = 1, "
            "or give the model as it was before it was quantised"
        )
    if settings.lora is None:
        raise ConfigError(
            "this model's weights are quantised, so they cannot be trained themselves; train an adapter beside them: "
            "--set recipe.lora.rank=16"
        )
    if settings.frozen:
        raise ConfigError(
            "frozen: quantised weights are frozen in any case; name the layers that learn by lora.targets"
        )


def make_recipe(
    kind: type[Recipe],
    settings: TrainingSettings,
    model: PreTrainedModel,
    chat_format: ChatFormat,
    task: Task,
    *,
    seed: int,
    ledger: Ledger,
    placement: Placement = DEFAULT_PLACEMENT,
    ranks: Ranks = ALONE,
) -> Recipe:
    """The recipe, ready to train a model that `prepare_model` has seen, whose compute is charged to `ledger`. Each
    of several ranks then has its part of the weights."""
    # Dropout would make the probabilities in training differ from those of generation.
    model.eval()  # type: ignore[no-untyped-call]
    device = model.device if ranks.alone else ranks.device
    precision = training_dtype(settings.precision, device)
    if precision == torch.bfloat16 and device.type == "cpu" and placement.attention == "auto":
        # In bfloat16 the backward pass of the fused attention is slow on CPUs: plain attention is nearly twice as fast.
        model.set_attn_implementation("eager")
    if placement.gradient_checkpointing:
        check_recomputable(model)
    player = Player(
        model,
        chat_format,
        task,
        seed=seed,
        ledger=ledger,
        precision=precision,
        pass_limit=BatchLimit(settings.tokens_per_pass),
        gradient_checkpointing=placement.gradient_checkpointing,
        ranks=ranks,
    )
    if isinstance(settings, SamplingSettings):
        player = replace(player, temperature=settings.temperature, max_new_tokens=settings.max_new_tokens)
    with needing_memory("the start cannot be kept beside the model; train an adapter (lora), or weights of fewer bits"):
        recipe = kind(settings, player)
        deal_out(model, chat_format, ranks)
    # The paper's formula does not count answers that are sampled once, before the first step.
    factor = PAPER_BUFFER_FACTORS.get(task.name, OTHER_BUFFER_FACTOR)
    ledger.buffer_factor = factor if recipe.sampled_by == "present" else 0.0
    return recipe
