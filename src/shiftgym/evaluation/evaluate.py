"""One policy on the problems of some splits: a row for every problem, and a few whole episodes to read.

Every checkpoint of every branch answers the same problems, so any two of them can be compared pair by pair.
Compute spent here is not part of any ledger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shiftgym.episodes import Episode, play
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Task

Decoding = Literal["sampled", "greedy"]

Row = dict[str, Any]
"""One line of `results.jsonl`: where it comes from (branch, seed, step, compute, split, decoding, problem) and
what happened (success with one attempt and within the limit, outcomes, diagnosis of the first answer)."""

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
    for decoding in decodings:
        policy = policy_for(decoding)
        for first in range(0, len(deal), BATCH):
            # The stream names no checkpoint: all of them draw the same noise, which makes pairs more alike.
            stream = ["evaluation", decoding, first]
            for episode in play(policy, task, deal[first : first + BATCH], stream=stream):
                labels = {**origin, "split": episode.problem.split, "decoding": decoding}
                found.rows.append({**labels, "problem": episode.problem.index, **judge(task, episode)})
                if episode.problem.index < SAMPLE:
                    found.episodes.append({**labels, **episode.record()})
    return found


def judge(task: Task, episode: Episode) -> Row:
    """The measures of one episode. The diagnosis is that of the first answer, before any feedback."""
    first = episode.decisions[0]
    diagnosis = task.diagnose(first.decision, first.attempts[0].answer)
    attempts = [attempt for record in episode.decisions for attempt in record.attempts]
    return {
        "success_1": episode.success and len(attempts) == len(episode.decisions),
        "success": episode.success,
        "attempts": len(attempts),
        "outcomes": [attempt.verdict.outcome for attempt in attempts],
        "reward": episode.reward,
        "valid": diagnosis.valid,
        "style": diagnosis.style,
        "translated": diagnosis.translated,
        "perseverated": diagnosis.perseverated,
        "tokens": first.attempts[0].tokens,
    }
