"""The verifier's reward for a GRPOTrainer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shiftgym.integrations.problems import opened

COLUMNS = ("split", "index", "decision", "settings")
"""What names a decision in a row of a data set."""


def verdict(
    completions: Sequence[Any],
    attempts: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    log_metric: Callable[[str, float], None] | None = None,
    log_extra: Callable[[str, list[Any]], None] | None = None,
    **columns: Any,
) -> list[float]:
    """The reward of each completion: of all its attempts after `rollout_func`, and else of one attempt.

    One attempt is rewarded as the first of an episode is, so a wrong one is charged as the last only where the limit is
    one attempt, as in `Problems(limit=1)`. The Trainer logs the share of decisions that were solved as `success`, and
    outcome and feedback of each last attempt in its table of completions.

    Args:
        completions: texts, or messages of which the last is the answer.
        attempts: outcome, reward, feedback and correctness of every attempt, as `rollout_func` gives them.
        log_metric, log_extra: given by the Trainer.
        columns: those of the data set.
    """
    if attempts is None:
        rows = [dict(zip(COLUMNS, each, strict=True)) for each in zip(*map(columns.get, COLUMNS), strict=True)]
        attempts = [[_one_attempt(row, _text(said))] for row, said in zip(rows, completions, strict=True)]
    last = [each[-1] for each in attempts]
    if log_metric is not None:
        log_metric("success", sum(each["correct"] for each in last) / len(last))
    if log_extra is not None:
        for column in ("outcome", "feedback"):
            log_extra(column, [each[column] for each in last])
    return [sum(each["reward"] for each in those) for those in attempts]


reward_funcs = [verdict]
"""What `GRPOTrainer` takes under this name."""


def _one_attempt(row: Mapping[str, Any], text: str) -> dict[str, Any]:
    session = opened(row, pictures="none")
    reward = session.step(text).reward
    told = session.verdict
    assert told is not None
    return {"outcome": told.outcome, "reward": reward, "feedback": told.feedback, "correct": told.correct}


def _text(completion: Any) -> str:
    """The answer; an empty one where a message has no content, as one of thinking alone."""
    return completion if isinstance(completion, str) else completion[-1].get("content") or ""
