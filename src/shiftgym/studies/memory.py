"""How much memory each branch of a study takes, and whether that fits. Nothing is loaded but the model's configuration,
and no device is touched."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import BATCH
from shiftgym.files import write_text
from shiftgym.gpus import gpu_environment
from shiftgym.models.at_once import FEEDBACK
from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.placement import Placement
from shiftgym.studies.config import Study
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.studies.run import engine, in_own_process
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions
from shiftgym.training.footprint import Footprint
from shiftgym.training.registry import load_recipe
from shiftgym.training.settings import RolloutSettings, SamplingSettings

GB = 10**9

USABLE = 15 / 16
"""Share of a device's memory that is planned with. The rest is for the driver, kernels, and gaps between tensors."""

LETTERS = 4
"""Letters of a token of English text, as tokenizers of large vocabularies have them."""

AROUND = 32
"""Tokens that a chat template puts around a prompt."""

LOOKED_AT = 8
"""Problems of each split whose prompts are measured."""


COLUMNS = (
    "copies: the start, kept for KL and probes. pass: what layers keep of a training pass. cache: of as many answers "
    "at a time (rows) as there is room for, with what reading their prompts takes. Passes and cache are not there at "
    "the same time."
)


@dataclass(frozen=True, slots=True)
class Room:
    """Where branches are to run."""

    kind: str
    """Type of the device: `cuda` or `cpu`."""
    told: str
    """What it is, as the end of `in GB, on ...`."""
    bytes: int
    """Memory that one branch may use."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The memory of each branch by its name, and the room that it has."""

    footprints: Mapping[str, Footprint]
    room: Room
    weights: bool
    """Whether the model's weights are there to be loaded."""

    @property
    def too_large(self) -> list[str]:
        """Branches that do not fit, whatever is split."""
        return [name for name, one in self.footprints.items() if one.least > self.room.bytes]

    @property
    def split(self) -> list[str]:
        """Branches whose training passes have to be smaller than they are asked to be."""
        fit = [name for name in self.footprints if name not in self.too_large]
        return [name for name in fit if self.footprints[name].learning > self.room.bytes]


def plan_memory(study: Study, *, workers: int, device_memory: float | None = None) -> MemoryPlan:
    """Plan the memory of every branch.

    Args:
        workers: branches at a time.
        device_memory: GB of a GPU for each branch; by default what this machine has.

    Raises:
        ConfigError: there is no such model or GPU, or a branch names parts that the model does not have.
    """
    room = _room(study, workers, device_memory)
    planned = in_own_process(_plan, study, room.kind, where=engine(1, Placement(device="cpu")))
    footprints = {name: Footprint(**values) for name, values in planned["footprints"].items()}
    return MemoryPlan(footprints, room, planned["weights"])


def print_memory(study: Study, found: MemoryPlan, console: Console) -> None:
    """Print what each branch of a study takes, and whether it fits."""
    room = found.room
    console.print(f"Memory of a branch in GB, on {room.told}:", highlight=False)
    table = Table("branch", box=None, pad_edge=False)
    for head in ("weights", "copies", "grads", "optim.", "pass", "logits", "cache", "rows", "peak"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, one in found.footprints.items():
        rows = one.rows_within(room.bytes)
        parts = (one.weights, one.copies, one.gradients, one.optimizer, one.activations, one.logits, one.row * rows)
        table.add_row(name, *map(_gb, parts), f"{rows}", _gb(one.peak(room.bytes)))
    console.print(table)
    console.print(COLUMNS, highlight=False)
    if found.too_large:
        lines = [f"Too little memory: {_gb(room.bytes)} GB may be used, and"]
        lines += [f"  {name} takes {_gb(found.footprints[name].least)} GB at the least" for name in found.too_large]
        lines += [f"What helps: {_advice(study, found)}."]
    else:
        lines = ["Every branch fits."]
    if found.split:
        lines.append(
            f"Training passes of {', '.join(found.split)} will be split: tokens_per_pass is too large for them."
        )
    for line in lines:
        console.print(line, highlight=False)


def _advice(study: Study, found: MemoryPlan) -> str:
    """What would make the branches smaller that do not fit, and is not done yet."""
    tables = {"init": study.init, **study.branches}
    large = [tables[name].settings for name in found.too_large]
    helps = {
        'dtype = "bfloat16"': study.placement.dtype == "float32",
        "gradient_checkpointing = true": not study.placement.gradient_checkpointing,
        "branches.NAME.lora = { rank = 16 }": any(settings.lora is None for settings in large),
        'branches.NAME.optimizer.name = "adamw8bit"': any(settings.optimizer.name == "adamw" for settings in large),
    }
    return ", ".join([*(what for what, missing in helps.items() if missing), "or a smaller model or a larger device"])


def _gb(size: int) -> str:
    """A size in GB with three digits."""
    return f"{size / GB:.{max(0, min(3, 3 - len(str(int(size / GB)))))}f}"


def _room(study: Study, workers: int, device_memory: float | None) -> Room:
    if device_memory is not None:
        return Room("cuda", f"a device of {device_memory:g} GB for each", int(device_memory * GB * USABLE))
    gpus = study.placement.gpus()
    if not gpus:
        whole = _machine_memory()
        told = f"the CPU, where {workers} at a time share {_gb(whole)} GB"
        return Room("cpu", told, int(whole * USABLE) // workers)
    found = gpu_environment(gpus)["memory_mib"]
    known = [size for size in found if size] if isinstance(found, list) else []
    if not known:
        raise ConfigError("the driver does not tell how much memory the GPU has; give it by --device-memory GB")
    sharing = -(-workers // len(gpus))
    shared = f", shared by {sharing} branches" if sharing > 1 else ""
    told = f"{gpus[0].model} with {_gb(min(known) * 2**20)} GB{shared}"
    return Room("cuda", told, int(min(known) * 2**20 * USABLE) // sharing)


def _machine_memory() -> int:
    """Bytes of memory that processes here may use."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    told = limit.read_text().strip() if limit.is_file() else "max"
    return min(whole, int(told)) if told.isdigit() else whole


def _plan(study: Study, device: str, out: Path) -> None:
    """In a process of its own: write the memory of each branch to `out`."""
    from shiftgym.models.loading.skeleton import skeleton
    from shiftgym.training.planned import planned_footprint
    from shiftgym.training.recipe import Recipe

    placement, task = study.placement, study.build_task()
    model, weights = skeleton(study.model, dtype=placement.dtype, attention=placement.attention)
    footprints = {}
    for branch in plan(study):
        if branch.name in footprints:
            continue
        settings = branch.table.settings
        # What is asked of the recipe follows from its settings; a whole one needs a model.
        recipe = Recipe.__new__(load_recipe(branch.table.recipe))
        recipe.settings = settings
        footprints[branch.name] = planned_footprint(
            model,
            settings,
            learned=_learned(task, branch),
            answered=_answered(study, task, branch),
            gradient_checkpointing=placement.gradient_checkpointing,
            device=device,
            critic=recipe.value_rate is not None,
            copies=int(bool(recipe.kl) or recipe.sampled_by == "start") + int(study.probes is not None),
            rows=_rows(task, branch),
        )
    write_text(out, json.dumps({"weights": weights, "footprints": {n: asdict(f) for n, f in footprints.items()}}))


def _learned(task: Task, branch: PlannedBranch) -> ConversationSizes:
    """The longest conversation that a branch learns from."""
    settings = branch.table.settings
    prompt, pictures = _longest_prompt(task, [settings.train_on])
    if isinstance(settings, SamplingSettings):
        attempts = getattr(settings, "limit", 1) or task.limit
        return ConversationSizes(prompt, pictures, settings.max_new_tokens, attempts, FEEDBACK)
    problems = (task.problem(settings.train_on, index) for index in range(LOOKED_AT))
    answers = [task.expert(decision) for problem in problems for decision in decisions(task, problem)]
    return ConversationSizes(prompt, pictures, max(map(len, answers)) // LETTERS + 1, 1, FEEDBACK)


def _answered(study: Study, task: Task, branch: PlannedBranch) -> ConversationSizes:
    """The longest conversation that a branch has, in rollouts or in the evaluation of its checkpoints."""
    settings = branch.table.settings
    prompt, pictures = _longest_prompt(task, [*study.evaluation.splits, settings.train_on])
    longest = max(study.evaluation.max_new_tokens, getattr(settings, "max_new_tokens", 0))
    return ConversationSizes(prompt, pictures, longest, task.limit, FEEDBACK)


def _rows(task: Task, branch: PlannedBranch) -> int:
    """Decisions that are to be answered at the same time: an iteration's, or a batch of the evaluation."""
    settings = branch.table.settings
    if not isinstance(settings, RolloutSettings):
        return BATCH
    each = sum(1 for _ in decisions(task, task.problem(settings.train_on, 0)))
    return max(BATCH, settings.episodes_per_iteration * each)


def _longest_prompt(task: Task, splits: Sequence[str]) -> tuple[int, int]:
    """Tokens and pictures of the longest prompt among the first problems of these splits."""
    problems = (task.problem(split, index) for split in splits for index in range(LOOKED_AT))
    prompts = [decision.prompt for problem in problems for decision in decisions(task, problem)]
    letters = max(sum(len(message["content"]) for message in prompt) for prompt in prompts)
    pictures = max(sum(len(message.get("pictures", ())) for message in prompt) for prompt in prompts)
    return letters // LETTERS + AROUND, pictures
