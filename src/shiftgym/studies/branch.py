"""One branch in a process of its own: train, evaluate every checkpoint, leave `done.json` when nothing is left to do.

branches/ppo-seed0/
    metrics.jsonl timings.jsonl episodes.jsonl checkpoints/     written by the trainer
    results.jsonl evaluation_episodes.jsonl probes.jsonl        whole checkpoints only, oldest first
    done.json                                                   {"state": "done" or "stopped", "message": ...}
    log.txt                                                     what the process printed
"""

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.evaluation.evaluate import evaluate
from shiftgym.studies.config import Init, Study
from shiftgym.studies.plan import START, PlannedBranch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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
        assert not isinstance(branch.settings, Init)
        at = branch.settings.start_at
        before = [found for found in existing(run / "branches" / branch.start) if found.fraction >= at]
        if not before:
            raise ConfigError(f"{branch.title}: {branch.start} stopped before it had a checkpoint to start from")
        source = str(before[0].path)
    model, chat_format = load_policy(source)
    task = study.build_task()

    probe = None
    if study.probes is not None:
        from shiftgym.studies.probes import Probe

        probe = Probe(copy.deepcopy(model), chat_format, study, branch)

    def on_checkpoint(checkpoint: "CheckpointInfo", model: "PreTrainedModel") -> None:
        if checkpoint.step in evaluated_steps(folder):
            return
        origin = _origin(branch, checkpoint)
        if probe is not None:
            _add(folder / "probes.jsonl", checkpoint.step, [{**origin, **row} for row in probe.measure(model)])
        asked = study.evaluation.model_dump()
        found = evaluate((model, chat_format), task, **asked, seed=branch.seed, origin=origin)
        # The results come last: they tell that this checkpoint is done.
        _add(folder / "evaluation_episodes.jsonl", checkpoint.step, found.episodes)
        _add(folder / "results.jsonl", checkpoint.step, found.rows)

    is_start = isinstance(branch.settings, Init)
    done = {"state": "done", "message": ""}
    try:
        train(
            model,
            chat_format,
            task,
            branch.settings,
            seed=branch.seed,
            folder=folder,
            budget_flops=None if is_start else study.budget.flops,
            accounting=study.budget.accounting,
            max_steps=study.init.steps if is_start else None,
            milestones=(1.0,) if is_start else study.budget.checkpoints,
            on_checkpoint=on_checkpoint,
            on_step=lambda _: hand_back(),
        )
    except TrainingStopped as stop:
        done = {"state": "stopped", "message": str(stop)}
    write_text(folder / "done.json", json.dumps(done))


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
