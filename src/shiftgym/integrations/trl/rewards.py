"""The verifier's reward for a GRPOTrainer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shiftgym.episodes import DecisionRecord
from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import posed, problem_at
from shiftgym.tasks.base import Decision
from shiftgym.tasks.walk import decision_at
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD, Verdict

COLUMNS = ("split", "index", "decision", "settings")
"""What names a decision in a row of a data set."""


def verdict(
    completions: Sequence[Any],
    record: Sequence[DecisionRecord] | None = None,
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
        record: all attempts at each decision, as `rollout_func` hands them over.
        log_metric, log_extra: given by the Trainer.
        columns: those of the data set.

    Raises:
        ConfigError: a column is missing, or there is no such task, setting, split, problem or decision.
    """
    if record is not None:
        judged = [(each.attempts[-1].verdict, sum(each.rewards)) for each in record]
    else:
        if missing := [name for name in COLUMNS if columns.get(name) is None]:
            raise ConfigError(
                f"reward_funcs: no column {' and no column '.join(missing)}; train on what "
                "shiftgym.integrations.trl.dataset gives, with its columns as they are"
            )
        rows = [dict(zip(COLUMNS, each, strict=True)) for each in zip(*map(columns.get, COLUMNS), strict=True)]
        decisions = [asked(row) for row in rows]
        judged = [
            _first_attempt(decision, limit, _text(said))
            for (decision, limit, _), said in zip(decisions, completions, strict=True)
        ]
    if log_metric is not None:
        log_metric("success", sum(last.correct for last, _ in judged) / len(judged))
    if log_extra is not None:
        log_extra("outcome", [last.outcome for last, _ in judged])
        log_extra("feedback", [last.feedback for last, _ in judged])
    return [reward for _, reward in judged]


reward_funcs = [verdict]
"""What `GRPOTrainer` takes under this name."""


def asked(row: Mapping[str, Any]) -> tuple[Decision, int, bool]:
    """The decision that a row of a data set names, how many attempts it allows, and whether feedback is shown. Whoever
    has the row has its prompt, so nothing is stated and no picture is drawn."""
    task, settings = posed(row["settings"])
    decision = decision_at(task, problem_at(task, row["split"], row["index"]), row["decision"])
    return decision, settings["limit"] or task.limit, settings["feedback"]


def _first_attempt(decision: Decision, limit: int, text: str) -> tuple[Verdict, float]:
    """The verdict on it, and its reward."""
    found = decision.judge(text)
    return found, found.reward + (OUT_OF_ATTEMPTS_REWARD if limit == 1 and not found.correct else 0)


def _text(completion: Any) -> str:
    """The answer; an empty one where a message has no content, as one of thinking alone."""
    return completion if isinstance(completion, str) else completion[-1].get("content") or ""
