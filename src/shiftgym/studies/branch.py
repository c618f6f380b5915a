"""One branch in a process of its own: train, evaluate every checkpoint, leave `done.json` when nothing is left to do.

branches/ppo-seed0/
    metrics.jsonl timings.jsonl episodes.jsonl checkpoints/     written by the trainer
    results.jsonl evaluation_episodes.jsonl probes.jsonl        whole checkpoints only, oldest first
    done.json                                                   {"state": "done" or "stopped", "message": ...}
    log.txt                                                     what the process printed
"""

import copy
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.evaluation.evaluate import Decoding, evaluate
from shiftgym.studies.config import EvaluationTable, Init, Study
from shiftgym.studies.plan import START, PlannedBranch
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions
from shiftgym.training.registry import load_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from shiftgym.evaluation.probes import Probe
    from shiftgym.models.chat import ChatFormat
    from shiftgym.models.generate import ModelPolicy
    from shiftgym.training.checkpoints import CheckpointInfo


def run_branch(study: Study, branch: PlannedBranch, run: Path) -> None:
    """Carry out `branch`, or what is left of it.

    A branch that TrainingStopped ends is finished: the same weights and seed would stop at the same step again.
    """
    # Only here, in the branch's own process, does torch come in.
    from shiftgym.models.load import load_policy
    from shiftgym.models.memory import hand_back
    from shiftgym.training.checkpoints import existing
    from shiftgym.training.trainer import train

    folder = branch.folder(run)
    source = study.model
    if branch.start is not None:
        assert not isinstance(branch.table, Init)
        at = branch.table.start_at
        before = [found for found in existing(run / "branches" / branch.start) if found.fraction >= at]
        if not before:
            raise ConfigError(f"{branch.title}: {branch.start} stopped before it had a checkpoint to start from")
        source = str(before[0].path)
    model, chat_format = load_policy(source)
    task = study.build_task()

    probe = None
    if study.probes is not None:
        probe = make_probe(study, branch, copy.deepcopy(model), chat_format, task)

    def on_checkpoint(checkpoint: "CheckpointInfo", model: "PreTrainedModel") -> None:
        if checkpoint.step in evaluated_steps(folder):
            return
        origin = _origin(branch, checkpoint)
        if probe is not None:
            _add(folder / "probes.jsonl", checkpoint.step, [{**origin, **row} for row in probe.measure(model)])
        found = evaluate(
            model_policies(model, chat_format, study.evaluation, branch.seed),
            task,
            splits=study.evaluation.splits,
            problems=study.evaluation.problems,
            samples=study.evaluation.samples,
            decodings=study.evaluation.decodings,
            origin=origin,
        )
        # The results come last: they tell that this checkpoint is done.
        _add(folder / "evaluation_episodes.jsonl", checkpoint.step, found.episodes)
        _add(folder / "results.jsonl", checkpoint.step, found.rows)

    is_start = isinstance(branch.table, Init)
    done = {"state": "done", "message": ""}
    try:
        train(
            (model, chat_format),
            load_recipe(branch.table.recipe),
            task,
            settings=branch.table.settings,
            seed=branch.seed,
            folder=folder,
            budget_flops=None if is_start else study.budget.flops,
            accounting=study.budget.accounting,
            steps=study.init.steps if is_start else None,
            milestones=(1.0,) if is_start else study.budget.checkpoints,
            on_checkpoint=on_checkpoint,
            on_step=lambda _: hand_back(),
        )
    except TrainingStopped as stop:
        done = {"state": "stopped", "message": str(stop)}
    write_text(folder / "done.json", json.dumps(done))


def make_probe(
    study: Study, branch: PlannedBranch, start: "PreTrainedModel", chat_format: "ChatFormat", task: Task
) -> "Probe":
    """What probes the checkpoints of a branch that starts from these weights, which are kept."""
    from shiftgym.evaluation.probes import Probe

    assert study.probes is not None
    return Probe(
        start,
        chat_format,
        task,
        splits=study.probes.splits,
        problems=study.probes.problems,
        samples=study.probes.samples,
        temperature=study.evaluation.temperature,
        max_new_tokens=study.evaluation.max_new_tokens,
        seed=branch.seed,
        learned=_learned(branch, task),
    )


def _learned(branch: PlannedBranch, task: Task) -> set[str] | None:
    """The expert's answers that a branch learns from; None if it does not, or if they never come again."""
    settings = branch.table.settings
    if load_recipe(branch.table.recipe).family != "supervised" or settings.problems is None:
        return None
    problems = [task.problem(settings.train_on, index) for index in range(settings.problems)]
    return {task.expert(decision) for problem in problems for decision in decisions(task, problem)}


def model_policies(
    model: "PreTrainedModel", chat_format: "ChatFormat", settings: EvaluationTable, seed: int
) -> Callable[[Decoding], "ModelPolicy"]:
    """The model as a policy under each decoding."""
    from shiftgym.models.generate import ModelPolicy

    return lambda decoding: ModelPolicy(
        model,
        chat_format,
        temperature=settings.temperature if decoding == "sampled" else 0.0,
        max_new_tokens=settings.max_new_tokens,
        seed=seed,
    )


def evaluated_steps(folder: Path) -> list[int]:
    """Steps of a branch whose checkpoint was evaluated, oldest first."""
    return list(dict.fromkeys(row["step"] for row in read_lines(folder / "results.jsonl")))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file; none if it does not exist yet."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _add(path: Path, step: int, records: Iterable[dict[str, Any]]) -> None:
    """Add what belongs to checkpoint `step`, in place of what an interrupted run may have left of it."""
    kept = [record for record in read_lines(path) if record["step"] < step]
    write_text(path, "".join(json.dumps(record) + "\n" for record in [*kept, *records]))


def _origin(branch: PlannedBranch, checkpoint: "CheckpointInfo") -> dict[str, Any]:
    """What begins every row. The shared start lies at the origin of the compute axes: no branch has spent it."""
    spent: dict[str, Any] = {"fraction": 0.0, "flops": 0, "flops_paper": 0.0}
    if branch.name != START:
        ledger = checkpoint.ledger
        spent = {"fraction": checkpoint.fraction, "flops": ledger.flops, "flops_paper": ledger.flops_paper}
    return {"branch": branch.name, "seed": branch.seed, "step": checkpoint.step, **spent}
