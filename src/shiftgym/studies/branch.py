"""One branch in a process of its own: train, evaluate every checkpoint, and record how it ended.

The files that it writes are described in `layout.BranchFolder`.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftgym.batching import needing_memory
from shiftgym.errors import ConfigError, PeerLost, TrainingStopped
from shiftgym.evaluation.evaluate import by_decoding
from shiftgym.evaluation.over_ranks import evaluate_over, probe_over
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
    from shiftgym.models.parallel import Ranks
    from shiftgym.training.checkpoints import CheckpointInfo


def run_branch(study: Study, branch: PlannedBranch, run: Path, folder: BranchFolder) -> None:
    """Carry out `branch`, or what is left of it. Where the environment names a process group, this process is one of
    its ranks, and the first of them writes what there is to write.

    A branch that TrainingStopped ends is finished: the same weights and seed would stop at the same step again.

    Args:
        run: the run folder, in which the branch that this one starts from is published.
        folder: what this process writes to, with what is done already.

    Raises:
        PeerLost: another rank is gone.
    """
    # torch is imported only here, in the branch's own process.
    from shiftgym.models.loading.devices import torch_device
    from shiftgym.models.parallel import Ranks, lost_peer

    ranks = Ranks.joined(torch_device(study.placement.device))
    try:
        _carry_out(study, branch, run, folder, ranks)
        ranks.leave()
    except Exception as error:
        if not lost_peer(error):
            raise
        raise PeerLost(f"{branch.title}: another rank is gone ({error})") from error


def _carry_out(study: Study, branch: PlannedBranch, run: Path, folder: BranchFolder, ranks: "Ranks") -> None:
    """See `run_branch`."""
    from shiftgym.models.heap import hand_back
    from shiftgym.models.loading.load import load_policy
    from shiftgym.training.trainer import loading_options, prepare_model, train

    settings = branch.table.settings
    model, chat_format = load_policy(
        _source(study, branch, run),
        **loading_options(study.placement, ranks),
        **study.chat_options,
        merged=settings.lora is None,
    )
    prepare_model(model, settings, branch.seed, ranks)
    task = study.build_task()
    probe = _kept_start(study, branch, model, chat_format, task, ranks) if study.probes is not None else None

    def on_checkpoint(checkpoint: "CheckpointInfo", model: "PreTrainedModel") -> None:
        if ranks.agree(checkpoint.step in evaluated_steps(folder)):
            return
        origin = _origin(branch, checkpoint)
        asked = study.evaluation
        answering = by_decoding((model, chat_format), task, asked.temperature, asked.max_new_tokens, branch.seed)
        try:
            subject = make_subject(study, branch, model, chat_format, task)
            probed = [] if probe is None else [{**origin, **row} for row in probe_over(ranks, probe, subject)]
            found = evaluate_over(
                ranks,
                answering,
                task,
                **asked.model_dump(include={"splits", "problems", "samples", "decodings"}),
                origin=origin,
            )
        except TrainingStopped as stop:
            raise TrainingStopped(f"step {checkpoint.step}, evaluation: {stop}") from None
        if not ranks.first:
            return
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
            ranks=ranks,
        )
    except TrainingStopped as stop:
        # Where it will be read, the checkpoint that it names lies in the branch's own folder.
        done = {"state": "stopped", "message": str(stop).replace(str(folder.path), str(branch.folder(run).path))}
    if not ranks.first:
        return
    if (idle := idleness(read_lines(folder.metrics))) is not None:
        print(f"{branch.title}: {idle}")
    write_text(folder.done, json.dumps(done))


def _source(study: Study, branch: PlannedBranch, run: Path) -> str:
    """What a branch starts from, as `load_policy` takes it."""
    from shiftgym.training.checkpoints import existing

    if branch.start is None:
        return study.model
    assert not isinstance(branch.table, Init)
    at = branch.table.start_at
    before = [found for found in existing(RunFolder(run).branch(branch.start).path) if found.fraction >= at]
    if not before:
        raise ConfigError(f"{branch.title}: {branch.start} stopped before it had a checkpoint to start from")
    return str(before[0].path)


def _kept_start(
    study: Study,
    branch: PlannedBranch,
    model: "PreTrainedModel",
    chat_format: "ChatFormat",
    task: Task,
    ranks: "Ranks",
) -> "Probe":
    """The probe of a branch on this rank's share of the problems, with a copy of what the branch starts from."""
    from shiftgym.models.sharding import gathered
    from shiftgym.models.spreading import kept_copy

    with needing_memory("the start cannot be kept for probes; train an adapter (lora), or leave probes out"):
        kept = kept_copy(model, chat_format, ranks)
    assert study.probes is not None
    share = ranks.share(range(study.probes.problems))
    with gathered(kept):
        return make_probe(study, branch, make_subject(study, branch, kept, chat_format, task), task, share)


def make_subject(
    study: Study, branch: PlannedBranch, model: "PreTrainedModel", chat_format: "ChatFormat", task: Task
) -> "Subject":
    """A checkpoint of a branch, or what it starts from, as it is probed."""
    from shiftgym.evaluation.probes import Subject

    longest = study.evaluation.max_new_tokens
    return Subject.local(model, chat_format, task, seed=branch.seed, max_new_tokens=longest)


def make_probe(study: Study, branch: PlannedBranch, start: "Subject", task: Task, problems: Sequence[int]) -> "Probe":
    """The probe of the checkpoints of a branch that starts from `start`, on these problems. It holds on to that
    model."""
    from shiftgym.evaluation.probes import Probe

    assert study.probes is not None
    return Probe(
        start,
        task,
        splits=study.probes.splits,
        problems=problems,
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
