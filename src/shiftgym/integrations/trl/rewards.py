"""The verifier's reward for a GRPOTrainer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shiftgym.integrations.problems import posed, problem_at
from shiftgym.tasks.base import Decision
from shiftgym.tasks.walk import decision_at
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD, Verdict

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
        attempts: every attempt at each decision, as `told` gives it and `rollout_func` hands it over.
        log_metric, log_extra: given by the Trainer.
        columns: those of the data set.

    Raises:
        ConfigError: there is no such task, setting, split, problem or decision.
    """
    if attempts is None:
        rows = [dict(zip(COLUMNS, each, strict=True)) for each in zip(*map(columns.get, COLUMNS), strict=True)]
        asked = [_first_attempt(row) for row in rows]
        attempts = [[_judged(*each, _text(said))] for each, said in zip(asked, completions, strict=True)]
    last = [each[-1] for each in attempts]
    if log_metric is not None:
        log_metric("success", sum(each["correct"] for each in last) / len(last))
    if log_extra is not None:
        for column in ("outcome", "feedback"):
            log_extra(column, [each[column] for each in last])
    return [sum(each["reward"] for each in those) for those in attempts]


reward_funcs = [verdict]
"""What `GRPOTrainer` takes under this name."""


def told(judged: Verdict, reward: float) -> dict[str, Any]:
    """An attempt in plain values.

    Args:
        reward: with the charge for the last attempt, if it was.
    """
    return {"outcome": judged.outcome, "reward": reward, "feedback": judged.feedback, "correct": judged.correct}


def _first_attempt(row: Mapping[str, Any]) -> tuple[Decision, bool]:
    """The decision that a row names, and whether the first attempt at it is the last."""
    task, asked = posed(row["settings"])
    decision = decision_at(task, problem_at(task, row["split"], row["index"]), row["decision"])
    return decision, (asked["limit"] or task.limit) == 1


def _judged(decision: Decision, last: bool, text: str) -> dict[str, Any]:
    found = decision.judge(text)
    return told(found, found.reward + (OUT_OF_ATTEMPTS_REWARD if last and not found.correct else 0))


def _text(completion: Any) -> str:
    """The answer; an empty one where a message has no content, as one of thinking alone."""
    return completion if isinstance(completion, str) else completion[-1].get("content") or ""
