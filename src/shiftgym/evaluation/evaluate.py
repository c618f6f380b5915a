"""One policy on the problems of some splits: a row for every problem, and a few whole episodes to read.

Every checkpoint of every branch answers the same problems, so any two of them can be compared pair by pair.
Compute spent here is not part of any ledger.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from shiftgym.episodes import Episode, play
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions

Decoding = Literal["sampled", "greedy"]

Row = dict[str, Any]
"""One line of `results.jsonl`: where it comes from (branch, seed, step, compute, split, decoding, problem) and
what happened (see `judge`)."""

BATCH = 128
"""Decisions played side by side, across all splits. Larger is hardly faster, and the key-value cache of a policy that
uses all its attempts on long answers then takes gigabytes."""

SAMPLE = 12
"""Problems of each split and decoding whose whole episode is kept for the report's episode browser."""


@dataclass(slots=True)
class Evaluation:
    """What one checkpoint did, in the order of decodings, splits and problems."""

    rows: list[Row] = field(default_factory=list)
    episodes: list[dict[str, Any]] = field(default_factory=list)
    """Episode records of the first `SAMPLE` problems of each split and decoding."""


def evaluate(
    policy_for: Callable[[Decoding], Policy],
    task: Task,
    *,
    splits: Sequence[str],
    problems: int,
    decodings: Sequence[Decoding],
    origin: Mapping[str, Any],
) -> Evaluation:
    """Play the problems 0 to `problems` - 1 of each split once under each decoding, with the task's full limit.

    Args:
        policy_for: the policy that answers under a decoding.
        origin: what begins every row and record: branch, seed, step, fraction, flops, flops_paper.
    """
    found = Evaluation()
    deal = [task.problem(split, index) for split in splits for index in range(problems)]
    dealt = list(batches(task, deal))
    for decoding in decodings:
        policy = policy_for(decoding)
        for number, batch in enumerate(dealt):
            # The stream names no checkpoint: all of them draw the same noise, which makes pairs more alike.
            stream = ["evaluation", decoding, number]
            for episode in play(policy, task, batch, stream=stream, ahead=True):
                labels = {**origin, "split": episode.problem.split, "decoding": decoding}
                found.rows.append({**labels, "problem": episode.problem.index, **judge(task, episode)})
                if episode.problem.index < SAMPLE:
                    found.episodes.append({**labels, **episode.record()})
    return found


def batches(task: Task, problems: Sequence[Any], times: int = 1) -> Iterator[list[Any]]:
    """The problems in batches of about `BATCH` decisions, each of which is answered so many times."""
    batch: list[Any] = []
    size = 0
    for problem in problems:
        count = times * sum(1 for _ in decisions(task, problem))
        if batch and size + count > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(problem)
        size += count
    yield batch


def judge(task: Task, episode: Episode) -> Row:
    """The measures of one episode, in which every decision was put to the policy, those behind a failed one too.

    Shares are of its decisions, so for a task of one decision they are 0 or 1. Diagnoses are those of first answers,
    before any feedback; None where they apply to none.

    Returns:
        success_1, success: share of decisions that were right at the first attempt, and within the limit.
        whole: every decision was right within the limit (the paper's overall success).
        per_step: right answers among all answers up to the first decision that failed, where the paper's episodes end
            (its per-step accuracy; problems weigh alike when it is averaged).
        decisions: of each its outcomes, the attempt that was right (0 if none was), style, and the kinds it counts as.
    """
    records = episode.decisions
    diagnoses = [task.diagnose(record.decision, record.attempts[0].answer) for record in records]
    reached = episode.reached
    return {
        "success_1": fmean(record.attempts[0].verdict.correct for record in records),
        "success": fmean(record.solved for record in records),
        "whole": episode.success,
        "per_step": sum(record.solved for record in reached) / sum(len(record.attempts) for record in reached),
        "attempts": sum(len(record.attempts) for record in records),
        "reward": episode.reward,
        "valid": fmean(diagnosis.valid for diagnosis in diagnoses),
        "translated": _share([diagnosis.translated for diagnosis in diagnoses]),
        "perseverated": _share([diagnosis.perseverated for diagnosis in diagnoses]),
        "recognised": _share([diagnosis.recognised for diagnosis in diagnoses]),
        "tokens": fmean(record.attempts[0].tokens for record in records),
        "decisions": [
            {
                "outcomes": [attempt.verdict.outcome for attempt in record.attempts],
                "right": len(record.attempts) if record.solved else 0,
                "style": diagnosis.style,
                "kinds": list(diagnosis.kinds),
            }
            for record, diagnosis in zip(records, diagnoses, strict=True)
        ],
    }


def _share(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
