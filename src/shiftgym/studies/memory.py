"""How much memory each branch of a study takes, and whether that fits. Nothing is loaded but the model's configuration,
and no device is touched."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shiftgym.errors import ConfigError
from shiftgym.gpus import gpu_environment
from shiftgym.studies.config import Study
from shiftgym.studies.footprints import footprints
from shiftgym.studies.needs import main_memory
from shiftgym.training.footprint import Footprint

GB = 10**9

USABLE = 15 / 16
"""Share of a device's memory that is planned with. The rest is for the driver, kernels, and gaps between tensors."""

MOST_RANKS = 64
"""Most ranks that are advised."""

COLUMNS = (
    "copies: the start, kept for KL and probes. pass: what layers keep of a training pass. cache: of as many answers "
    "at a time (rows) as there is room for, with what reading their prompts takes. Passes and cache are not there at "
    "the same time."
)

OF_RANKS = (
    "All of it is of one rank. whole: the weights that it gathers from the others while it answers, beside the cache."
)


@dataclass(frozen=True, slots=True)
class Room:
    """Where branches are to run, each of their ranks."""

    kind: str
    """Type of the device: `cuda` or `cpu`."""
    told: str
    """What it is, as the end of `in GB, on ...`."""
    bytes: int
    """Memory that one rank of a branch may use."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The memory of each branch by its name, and the room that it has."""

    footprints: Mapping[str, Footprint]
    weights: bool
    """Whether the model's weights are there to be loaded."""
    room: Room

    @property
    def too_large(self) -> list[str]:
        """Branches that do not fit, whatever is split."""
        return [name for name, one in self.footprints.items() if one.least > self.room.bytes]

    def enough_ranks(self, name: str) -> int | None:
        """The smallest number of ranks, a power of two, with which a branch fits; None if there is none. An adapter may
        fit with one and not with two. Ranks on one CPU share its memory, so there they are no help."""
        one, ranks = self.footprints[name], (2**power for power in range(MOST_RANKS.bit_length()))
        fitting = (each for each in ranks if one.over(each).least <= self.room.bytes)
        return next(fitting, None) if self.room.kind == "cuda" else None

    @property
    def split(self) -> list[str]:
        """Branches whose training passes have to be smaller than they are asked to be."""
        fit = [name for name in self.footprints if name not in self.too_large]
        return [name for name in fit if self.footprints[name].learning > self.room.bytes]


def plan_memory(study: Study, *, workers: int, device_memory: float | None = None) -> MemoryPlan:
    """Plan the memory of every branch.

    Args:
        workers: processes at a time.
        device_memory: GB of a GPU for each rank of a branch; by default what this machine has.

    Raises:
        ConfigError: there is no such model or GPU, or a branch names parts that the model does not have.
    """
    room = _room(study, workers, device_memory)
    planned = footprints(study, room.kind)
    return MemoryPlan(planned.footprints, planned.weights, room)


def print_memory(study: Study, found: MemoryPlan, console: Console) -> None:
    """Print what each branch of a study takes, and whether it fits."""
    room = found.room
    several = any(one.ranks > 1 for one in found.footprints.values())
    console.print(f"Memory of a {'rank' if several else 'branch'} in GB, on {room.told}:", highlight=False)
    table = Table("branch", box=None, pad_edge=False, collapse_padding=several)
    heads = ("weights", "copies", "grads", "optim.", "pass", "logits", *(["whole"] if several else []), "cache")
    for head in (*heads, "rows", "peak"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, one in found.footprints.items():
        parts, rows = one.parts, one.rows_within(room.bytes)
        sizes = [parts.weights, parts.copies, parts.gradients, parts.optimizer, one.activations, one.logits]
        sizes += [one.gathered, one.row * rows] if several else [one.row * rows]
        label = f"{name} x {one.ranks}" if one.ranks > 1 else name
        table.add_row(label, *map(in_gb, sizes), f"{rows}", in_gb(one.peak(room.bytes)))
    console.print(table)
    for line in (COLUMNS, *([OF_RANKS] if several else []), *_judged(study, found)):
        console.print(line, highlight=False)


def _judged(study: Study, found: MemoryPlan) -> Iterator[str]:
    """Whether the branches fit, what helps if not, and what their processes take of main memory."""
    if found.too_large:
        yield f"Too little memory: {in_gb(found.room.bytes)} GB may be used, and"
        for name in found.too_large:
            enough = found.enough_ranks(name)
            fits = f", and with ranks = {enough} it fits" if enough else ""
            yield f"  {name} takes {in_gb(found.footprints[name].least)} GB at the least{fits}"
        yield f"What helps: {_advice(study, found)}."
    else:
        yield "Every branch fits."
    if found.split:
        yield f"Training passes of {', '.join(found.split)} will be split: tokens_per_pass is too large for them."
    if found.room.kind == "cuda":
        name, most = max(found.footprints.items(), key=lambda of: of[1].ranks * main_memory(of[1], "cuda"))
        each = main_memory(most, "cuda")
        together = f", {in_gb(each * most.ranks)} GB for its {most.ranks} ranks, which share a machine"
        yield f"Main memory beside a GPU: {in_gb(each)} GB while {name} loads{together if most.ranks > 1 else ''}."


def _advice(study: Study, found: MemoryPlan) -> str:
    """What would make the branches smaller that do not fit, and is not done yet."""
    tables = {"init": study.init, **study.branches}
    large = [tables[name].settings for name in found.too_large]
    enough = [found.enough_ranks(name) for name in found.too_large]
    most = max((ranks for ranks in enough if ranks), default=0)
    helps = {
        'dtype = "bfloat16"': study.placement.dtype == "float32",
        "gradient_checkpointing = true": not study.placement.gradient_checkpointing,
        "branches.NAME.lora = { rank = 16 }": any(settings.lora is None for settings in large),
        'branches.NAME.optimizer.name = "adamw8bit"': any(settings.optimizer.name == "adamw" for settings in large),
        f"ranks = {most}": most > 0,
    }
    return ", ".join([*(what for what, missing in helps.items() if missing), "or a smaller model or a larger device"])


def in_gb(size: int) -> str:
    """A size in GB with three digits."""
    return f"{size / GB:.{max(0, min(3, 3 - len(str(int(size / GB)))))}f}"


def _room(study: Study, workers: int, device_memory: float | None) -> Room:
    if device_memory is not None:
        return Room("cuda", f"a device of {device_memory:g} GB for each", int(device_memory * GB * USABLE))
    gpus = study.placement.gpus()
    if not gpus:
        whole = _machine_memory()
        told = f"the CPU, where {workers} at a time share {in_gb(whole)} GB"
        return Room("cpu", told, int(whole * USABLE) // workers)
    found = gpu_environment(gpus)["memory_mib"]
    known = [size for size in found if size] if isinstance(found, list) else []
    if not known:
        raise ConfigError("the driver does not tell how much memory the GPU has; give it by --device-memory GB")
    sharing = -(-workers // len(gpus))
    shared = f", shared by {sharing} branches" if sharing > 1 else ""
    told = f"{gpus[0].model} with {in_gb(min(known) * 2**20)} GB{shared}"
    return Room("cuda", told, int(min(known) * 2**20 * USABLE) // sharing)


def _machine_memory() -> int:
    """Bytes of memory that processes here may use."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    told = limit.read_text().strip() if limit.is_file() else "max"
    return min(whole, int(told)) if told.isdigit() else whole
