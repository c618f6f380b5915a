"""One branch in a process of its own: train, evaluate every checkpoint, and record how it ended.

The files that it writes are described in `layout.BranchFolder`.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftgym.batching import needing_memory
from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.evaluation.evaluate import evaluate
from shiftgym.files import read_lines, write_lines, write_text
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.studies.config import Study
from shiftgym.studies.plan import START, PlannedBranch
from shiftgym.studies.tables import Init
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions
from shiftgym.training.idle import idleness
from shiftgym.training.registry import load_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from shiftgym.evaluation.probes import Probe, Subject
    from shiftgym.models.conversations.chat import ChatFormat
    from shiftgym.training.checkpoints import CheckpointInfo


def run_branch(study: Study, branch: PlannedBranch, run: Path, folder: BranchFolder) -> None:
    """Carry out `branch`, or what is left of it.

    Args:
        run: the run folder, in which the branch that this one starts from is published.
        folder: what this process writes to, with what is done already.

    A branch that TrainingStopped ends is finished: the same weights and seed would stop at the same step again.
    """
    # torch is imported only here, in the branch's own process.
    from shiftgym.models.generation.paths import share_path
    from shiftgym.models.heap import hand_back
    from shiftgym.models.loading.load import load_policy
    from shiftgym.models.lora import frozen_copy
    from shiftgym.training.checkpoints import existing
    from shiftgym.training.trainer import prepare_model, train

    source = study.model
    if branch.start is not None:
        assert not isinstance(branch.table, Init)
        at = branch.table.start_at
        before = [found for found in existing(RunFolder(run).branch(branch.start).path) if found.fraction >= at]
        if not before:
            raise ConfigError(f"{branch.title}: {branch.start} stopped before it had a checkpoint to start from")
        source = str(before[0].path)
    settings = branch.table.settings
    model, chat_format = load_policy(
        source,
        **study.placement.options,
        **study.chat_options,
        merged=settings.lora is None,
    )
    prepare_model(model, settings, branch.seed)
    task = study.build_task()

    probe = None
    if study.probes is not None:
        with needing_memory("the start cannot be kept for probes; train an adapter (lora), or leave probes out"):
            kept = frozen_copy(model)
        share_path(kept, model, chat_format)
        start = make_subject(study, branch, kept, chat_format, task)
        probe = make_probe(study, branch, start, task)

    def on_checkpoint(checkpoint: "CheckpointInfo", model: "PreTrainedModel") -> None:
        if checkpoint.step in evaluated_steps(folder):
            return
        origin = _origin(branch, checkpoint)
        asked = study.evaluation.model_dump()
        try:
            subject = make_subject(study, branch, model, chat_format, task)
            probed = [] if probe is None else [{**origin, **row} for row in probe.measure(subject)]
            found = evaluate((model, chat_format), task, **asked, seed=branch.seed, origin=origin)
        except TrainingStopped as stop:
            raise TrainingStopped(f"step {checkpoint.step}, evaluation: {stop}") from None
        if probe is not None:
            _add(folder.probes, checkpoint.step, probed)
        # Results are written last: a checkpoint that has some counts as evaluated.
        _add(folder.evaluation_episodes, checkpoint.step, found.episodes)
        _add(folder.results, checkpoint.step, found.rows)

    is_start = isinstance(branch.table, Init)
    done = {"state": "done", "message": ""}
    try:
        train(
            (model, chat_format),
            load_recipe(branch.table.recipe),
            task,
            settings=settings,
            seed=branch.seed,
            folder=folder.path,
            budget_flops=None if is_start else study.budget.flops,
            accounting=study.budget.accounting,
            steps=study.init.steps if is_start else None,
            milestones=(1.0,) if is_start else study.budget.checkpoints,
            on_checkpoint=on_checkpoint,
            on_step=lambda _: hand_back(),
            placement=study.placement,
        )
    except TrainingStopped as stop:
        done = {"state": "stopped", "message": str(stop)}
    if (idle := idleness(read_lines(folder.metrics))) is not None:
        print(f"{branch.title}: {idle}")
    write_text(folder.done, json.dumps(done))


def make_subject(
    study: Study, branch: PlannedBranch, model: "PreTrainedModel", chat_format: "ChatFormat", task: Task
) -> "Subject":
    """A checkpoint of a branch, or what it starts from, as it is probed."""
    from shiftgym.evaluation.probes import Subject

    longest = study.evaluation.max_new_tokens
    return Subject.local(model, chat_format, task, seed=branch.seed, max_new_tokens=longest)


def make_probe(study: Study, branch: PlannedBranch, start: "Subject", task: Task) -> "Probe":
    """The probe of the checkpoints of a branch that starts from `start`. It holds on to that model."""
    from shiftgym.evaluation.probes import Probe

    assert study.probes is not None
    return Probe(
        start,
        task,
        splits=study.probes.splits,
        problems=study.probes.problems,
        samples=study.probes.samples,
        temperature=study.evaluation.temperature,
        learned=_learned(branch, task),
    )


def _learned(branch: PlannedBranch, task: Task) -> set[str] | None:
    """The expert's answers that a branch learns from; None if it learns from others, or from new ones
    at every step."""
    settings = branch.table.settings
    if load_recipe(branch.table.recipe).family != "supervised" or settings.problems is None:
        return None
    problems = [task.problem(settings.train_on, index) for index in range(settings.problems)]
    return {task.expert(decision) for problem in problems for decision in decisions(task, problem)}


def evaluated_steps(folder: BranchFolder) -> list[int]:
    """Steps of a branch whose checkpoint was evaluated, oldest first."""
    return list(dict.fromkeys(row["step"] for row in read_lines(folder.results)))


def _add(path: Path, step: int, records: Iterable[dict[str, Any]]) -> None:
    """Add what belongs to checkpoint `step`, replacing what an interrupted run may have left of it."""
    kept = [record for record in read_lines(path) if record["step"] < step]
    write_lines(path, [*kept, *records])


def _origin(branch: PlannedBranch, checkpoint: "CheckpointInfo") -> dict[str, Any]:
    """The first columns of every row. The compute of the shared start counts as zero, since no branch has spent it."""
    spent: dict[str, Any] = {"fraction": 0.0, "flops": 0, "flops_paper": 0.0}
    if branch.name != START:
        ledger = checkpoint.ledger
        spent = {"fraction": checkpoint.fraction, "flops": ledger.flops, "flops_paper": ledger.flops_paper}
    return {"branch": branch.name, "seed": branch.seed, "step": checkpoint.step, **spent}
