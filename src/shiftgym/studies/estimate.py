"""How long a study will take, estimated from two steps of every kind of branch and the answers to a few problems,
measured on this machine."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from shiftgym.evaluation.evaluate import batches, evaluate
from shiftgym.files import read_lines, write_text
from shiftgym.gpus import in_words
from shiftgym.models.loading.source import find_source
from shiftgym.placement import Placement
from shiftgym.studies.branch import make_probe, make_subject
from shiftgym.studies.config import Study
from shiftgym.studies.memory import MemoryPlan, plan_memory, print_memory
from shiftgym.studies.own_process import engine, in_own_process
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.studies.run import placed
from shiftgym.studies.tables import Init
from shiftgym.tasks.base import Task
from shiftgym.training.registry import load_recipe
from shiftgym.training.settings import FLOPS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from shiftgym.models.conversations.chat import ChatFormat

FEW, MORE = 2, 8
"""Problems a split that are answered to see what a batch and what a problem costs."""

FIRST_TOKENS = 5
"""Longest answer of the first problem, which shows what a token costs."""

PATIENCE = 15.0
"""Seconds that whole answers to one problem a split may take. If they would take longer, only first tokens are timed.
Answers then count as long, and attempts as many, as they may be: an upper bound."""


SHARED = (
    "Ranks are counted as if each did its part of the work and nothing else. They also wait for each other and "
    "exchange weights and gradients, which is not counted."
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Steps, time and compute of one branch, the evaluation of its checkpoints included."""

    branch: PlannedBranch
    steps: int
    seconds: float
    flops: float
    """FLOPs as executed, at the end."""
    flops_paper: float
    """FLOPs by the paper's formula, at the end."""


def print_plan(study: Study, *, workers: int | None = None, device_memory: float | None = None) -> bool:
    """Print the memory of every branch, its steps and time, and the time of the whole study. No training is kept. Steps
    and time are measured, so they are left out where the device or the weights are not here, or a branch does not fit.

    Args:
        device_memory: GB of a GPU for each rank of a branch, which is not here; by default what this machine has.

    Returns:
        Whether every branch fits.

    Raises:
        ConfigError: the model is not to be had, or a step of a branch fails.
    """
    from shiftgym.following.declaration import COMPUTE
    from shiftgym.reports.words import planned_power

    find_source(study.model, weights=False)
    console = Console()
    where = engine(workers, study.placement if device_memory is None else Placement(device="cpu"))
    workers = where.workers
    branches, evaluation = plan(study), study.evaluation
    samples = evaluation.samples if "sampled" in evaluation.decodings else 1
    console.print(
        f"{study.name}: {len(branches)} branches ({len(study.branches)} and their init, {len(study.seeds)} seeds), "
        f"{study.budget.flops:.3g} {COMPUTE[FLOPS[study.budget.accounting]]} each, up to {workers} at a time.\n"
        f"Device: {in_words(where.gpus) if device_memory is None else 'one that is not here'}.\n"
        f"{planned_power(len(study.seeds), evaluation.problems, samples)}\n",
        highlight=False,
    )
    memory = plan_memory(study, workers=workers, device_memory=device_memory)
    print_memory(study, memory, console)
    if why := _unmeasured(study, memory, device_memory):
        console.print(f"\nSteps and times were not measured, since {why}.", highlight=False, soft_wrap=True)
        return not memory.too_large
    find_source(study.model)
    console.print("\nMeasuring two steps of each kind of branch and the answers to a few problems ...", highlight=False)
    estimates = estimate(study)
    table = Table("branch", "seed", "compared as", "recipe", box=None, pad_edge=False)
    for head in ("steps", "TFLOP", "paper's", "minutes"):
        table.add_column(head, justify="right")
    for one in estimates:
        of = one.branch.table
        part = "start" if isinstance(of, Init) else study.compare.part(one.branch.name)
        numbers = f"{one.flops / 1e12:.3g}", f"{one.flops_paper / 1e12:.3g}", f"{one.seconds / 60:.1f}"
        table.add_row(one.branch.name, str(one.branch.seed), part, of.recipe, f"{one.steps}", *numbers)
    console.print(table)
    total = makespan(estimates, workers)
    console.print(f"About {total / 60:.0f} minutes in all. An estimate: steps take different times.", highlight=False)
    if any(one.branch.ranks > 1 for one in estimates):
        console.print(SHARED, highlight=False)
    return True


def _unmeasured(study: Study, memory: MemoryPlan, device_memory: float | None) -> str | None:
    """Why steps and times cannot be measured, if they cannot."""
    if memory.too_large:
        return "a branch does not fit"
    if not memory.weights:
        return f"{study.model} has no weights"
    if device_memory is not None:
        return "this is another machine"
    if any(one.over(1).least > memory.room.bytes for one in memory.footprints.values()):
        return "a branch does not fit one device, and one is measured on"
    return None


def estimate(study: Study) -> list[Estimate]:
    """Steps and seconds of every branch, extrapolated from two steps of each kind, one process with one thread. Ranks
    share the work; what they lose by waiting for each other and by exchanging gradients is not counted."""
    where = engine(1, study.placement)
    measured = in_own_process(_measure, placed(study, where), where=where)
    estimates = []
    for branch in plan(study):
        cost = measured["kinds"][_kind(branch)]
        if isinstance(branch.table, Init):
            steps, evaluations = branch.table.steps, 1
        else:
            # A branch ends with the first step that has spent the budget; the first step may also pay for answers that
            # are sampled once.
            counted = FLOPS[study.budget.accounting]
            steps = 1 + max(0, math.ceil((study.budget.flops - cost["first"][counted]) / cost["later"][counted]))
            evaluations = len(study.budget.checkpoints)
        total = {name: cost["first"][name] + (steps - 1) * later for name, later in cost["later"].items()}
        shared = total["seconds"] + evaluations * measured["checkpoint"]
        seconds = measured["start"] + shared / branch.ranks
        estimates.append(Estimate(branch, steps, seconds, total["flops"], total["flops_paper"]))
    return estimates


def makespan(estimates: list[Estimate], workers: int) -> float:
    """Seconds until the last branch ends, when free workers take the next branch of the plan, one for each rank."""
    free = [0.0] * workers
    for one in estimates:
        taken = min(one.branch.ranks, workers)
        *_, start = sorted(free)[:taken]
        free = sorted(free)[taken:] + [start + one.seconds] * taken
    return max(free)


def _measure(study: Study, out: Path) -> None:
    """In a process of its own: write the seconds and FLOPs of a step of each kind of branch to `out`."""
    began = time.perf_counter()
    from shiftgym.models.loading.load import load_policy
    from shiftgym.training.trainer import train

    task = study.build_task()
    options = {**study.placement.options, **study.chat_options}
    model, chat_format = load_policy(study.model, **options)
    measured = {"start": time.perf_counter() - began}
    measured["checkpoint"] = _checkpoint_seconds(study, (model, chat_format), task)
    kinds = {}
    for branch in plan(study):
        if _kind(branch) in kinds:
            continue
        model, _ = load_policy(study.model, **options, merged=branch.table.settings.lora is None)
        folder = branch.folder(out.parent)
        of = branch.table
        train(
            (model, chat_format),
            load_recipe(of.recipe),
            task,
            settings=of.settings,
            folder=folder.path,
            steps=2,
            placement=study.placement,
        )
        first, second = read_lines(folder.metrics)
        times = [times["collect"] + times["learn"] for times in read_lines(folder.timings)]
        spent: dict[str, float] = {name: first[name] for name in FLOPS.values()}
        more: dict[str, float] = {name: second[name] - first[name] for name in FLOPS.values()}
        kinds[_kind(branch)] = {"first": {"seconds": times[0], **spent}, "later": {"seconds": times[1], **more}}
    write_text(out, json.dumps({**measured, "kinds": kinds}))


def _checkpoint_seconds(study: Study, policy: "tuple[PreTrainedModel, ChatFormat]", task: Task) -> float:
    """Seconds of evaluating and probing one checkpoint."""
    evaluation, probes = study.evaluation, study.probes

    def evaluated(problems: int, tokens: int) -> None:
        few = {"problems": problems, "samples": 1, "max_new_tokens": tokens}
        evaluate(policy, task, **(evaluation.model_dump() | few))

    start, each = _costs(evaluated, evaluation.max_new_tokens)
    deal = [task.problem(split, index) for split in evaluation.splits for index in range(evaluation.problems)]
    seconds = 0.0
    for decoding in evaluation.decodings:
        times = evaluation.samples if decoding == "sampled" else 1
        whole = start * sum(1 for _ in batches(task, deal, times)) + each * evaluation.problems * times
        seconds += whole / len(evaluation.decodings)
    if probes is None:
        return seconds

    def probed(problems: int, tokens: int) -> None:
        fewer = {"probes": probes.model_copy(update={"problems": problems})}
        shorter = {"evaluation": evaluation.model_copy(update={"max_new_tokens": tokens})}
        small, of_start = study.model_copy(update=fewer | shorter), plan(study)[0]
        subject = make_subject(small, of_start, *policy, task)
        make_probe(small, of_start, subject, task, range(problems)).measure(subject)

    start, each = _costs(probed, evaluation.max_new_tokens)
    return seconds + start + each * probes.problems


def _costs(answer: Callable[[int, int], None], tokens: int) -> tuple[float, float]:
    """Seconds that a batch costs whatever its size, and seconds that one problem of each split adds to it.

    Args:
        answer: answers so many problems of each split, with so many tokens at most.
        tokens: longest answer of the study.
    """

    def seconds(problems: int, tokens: int) -> float:
        began = time.perf_counter()
        answer(problems, tokens)
        return time.perf_counter() - began

    answer(1, 1)  # the first pass of a model takes longer
    read, first = seconds(1, 1), seconds(1, FIRST_TOKENS)
    whole = read + max(0.0, first - read) * (tokens - 1) / (FIRST_TOKENS - 1)
    if whole < PATIENCE:
        few, more = seconds(FEW, tokens), seconds(MORE, tokens)
    else:
        longer = whole / first
        few, more = longer * seconds(FEW, FIRST_TOKENS), longer * seconds(MORE, FIRST_TOKENS)
    each = max(0.0, more - few) / (MORE - FEW)
    return max(0.0, few - FEW * each), each


def _kind(branch: PlannedBranch) -> str:
    """Branches that differ only in their optimizer, their start and their names are measured once."""
    return f"{branch.table.recipe} {branch.table.settings.model_dump_json(exclude={'optimizer'})}"
