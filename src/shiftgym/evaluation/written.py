"""An evaluation that is written down while it goes on, and taken up again where it was interrupted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shiftgym.evaluation.evaluate import BATCH, Asked, Decoding, evaluate_batches
from shiftgym.files import append_lines, drop_half_line, read_lines, write_lines
from shiftgym.layout import BranchFolder
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Task


def evaluate_into(
    folder: BranchFolder,
    policy_for: Callable[[Decoding], Policy],
    task: Task,
    *,
    splits: Sequence[str],
    problems: int,
    samples: int,
    decodings: Sequence[Decoding],
    origin: Mapping[str, Any],
    batch: int = BATCH,
    on_batch: Callable[[int], None] = lambda _: None,
) -> None:
    """Evaluate a policy and add its rows to `folder` batch by batch. What is there already is not asked again, so a
    kill costs one batch.

    Args:
        origin: the first columns of every row (see `evaluate`). Rows of another step are left alone.
        on_batch: called with the number of problems that were answered, those of an earlier call included.
    """
    done = _whole_rows(folder, origin["step"])
    answered = len(done)
    on_batch(answered)
    for found in evaluate_batches(
        policy_for,
        task,
        splits=splits,
        problems=problems,
        samples=samples,
        decodings=decodings,
        origin=origin,
        batch=batch,
        skip=done,
    ):
        # A problem counts as answered once it has a row, so rows are written last.
        append_lines(folder.evaluation_episodes, found.episodes)
        append_lines(folder.results, found.rows)
        answered += len(found.rows)
        on_batch(answered)


def _whole_rows(folder: BranchFolder, step: int) -> set[Asked]:
    """What was answered at this step. What a kill left half-written is removed."""
    folder.path.mkdir(parents=True, exist_ok=True)
    for path in (folder.results, folder.evaluation_episodes):
        drop_half_line(path)
    done = {(row["step"], row["decoding"], row["split"], row["problem"]) for row in read_lines(folder.results)}
    kept = [
        record
        for record in read_lines(folder.evaluation_episodes)
        if (record["step"], record["decoding"], record["split"], record["problem"]["index"]) in done
    ]
    write_lines(folder.evaluation_episodes, kept)
    return {(decoding, split, problem) for at, decoding, split, problem in done if at == step}
