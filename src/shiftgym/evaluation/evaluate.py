"""One policy on the problems of some splits: a row for every problem, and a few whole episodes to read.

Every checkpoint of every branch answers the same problems, so any two of them can be compared pair by pair.
Compute spent here is not part of any ledger.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from shiftgym.episodes import play
from shiftgym.evaluation.measures import measure_episode
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions

Decoding = Literal["sampled", "greedy"]

Row = dict[str, Any]
"""One line of `results.jsonl`: where it comes from (branch, seed, step, compute, split, decoding, problem) and
what happened (see `measures.measure_episode`)."""

BATCH = 128
"""Decisions played side by side, across all splits. Larger is hardly faster, and the key-value cache of a policy that
uses all its attempts on long answers then takes gigabytes."""

SAMPLE = 12
"""Problems of each split and decoding whose whole (first) episode is kept for the report's episode browser."""


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
    samples: int = 1,
    batch: int = BATCH,
) -> Evaluation:
    """Play the problems 0 to `problems` - 1 of each split under each decoding, with the task's full limit.

    Args:
        policy_for: the policy that answers under a decoding.
        origin: what begins every row and record: branch, seed, step, fraction, flops, flops_paper.
        samples: answers to each problem under the sampled decoding; a row holds their mean.
        batch: decisions that are answered side by side. No outcome depends on it.
    """
    found = Evaluation()
    deal = [task.problem(split, index) for split in splits for index in range(problems)]
    for decoding in decodings:
        policy, times = policy_for(decoding), samples if decoding == "sampled" else 1
        for several in batches(task, deal, times, batch):
            answered = [(problem, sample) for problem in several for sample in range(times)]
            # The noise names no checkpoint: all of them draw the same, which makes pairs more alike.
            noise = [["evaluation", problem.split, problem.index, sample] for problem, sample in answered]
            played = play(policy, task, [problem for problem, _ in answered], noise=noise, ahead=True)
            for start in range(0, len(played), times):
                first, *_ = alike = played[start : start + times]
                labels = {**origin, "split": first.problem.split, "decoding": decoding}
                row = _mean([measure_episode(task, episode) for episode in alike])
                found.rows.append({**labels, "problem": first.problem.index, **row})
                if first.problem.index < SAMPLE:
                    found.episodes.append({**labels, **first.record()})
    return found


def batches(task: Task, problems: Sequence[Any], times: int = 1, size: int = BATCH) -> Iterator[list[Any]]:
    """The problems in batches of about `size` decisions, each of which is answered so many times."""
    batch: list[Any] = []
    held = 0
    for problem in problems:
        count = times * sum(1 for _ in decisions(task, problem))
        if batch and held + count > size:
            yield batch
            batch, held = [], 0
        batch.append(problem)
        held += count
    yield batch


def _mean(rows: Sequence[Row]) -> Row:
    """The measures of several episodes on one problem: means of what applies, and all their decisions."""
    whole: Row = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        if name == "decisions":
            whole[name] = [decision for value in values for decision in value]
        else:
            whole[name] = fmean(values) if values else None
    return whole
