"""The way through a problem when every decision is answered right."""

from collections.abc import Iterator
from typing import Any

from shiftgym.tasks.base import Decision, Task


def decisions(task: Task, problem: Any) -> Iterator[Decision]:
    """The decisions of a problem, one after the other."""
    decision: Decision | None = task.start(problem)
    while decision is not None:
        yield decision
        decision = decision.next()
