"""The way through a problem when every decision is answered right."""

from collections.abc import Iterator
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.tasks.base import Decision, Task


def decisions(task: Task, problem: Any) -> Iterator[Decision]:
    """The decisions of a problem, one after the other."""
    decision: Decision | None = task.start(problem)
    while decision is not None:
        yield decision
        decision = decision.next()


def decision_at(task: Task, problem: Any, number: int) -> Decision:
    """One decision of a problem.

    Args:
        number: counted from 0.

    Raises:
        ConfigError: the problem has no such decision.
    """
    decision: Decision | None = task.start(problem) if number >= 0 else None
    left = number
    while left and decision is not None:
        decision, left = decision.next(), left - 1
    if decision is None:
        raise ConfigError(f"decision: {problem.split} {problem.index} has no decision {number!r}, counted from 0")
    return decision
