"""The contract of a task. A task speaks messages and knows nothing of tokens, models or files.

task.problem(split, index) -> Problem        frozen, seeded, JSON-serialisable
task.start(problem) -> Decision              one prompt that wants one right answer
decision.judge(answer) -> Verdict            never raises, bounded time, on any text
decision.next() -> Decision | None           after a right answer; None ends the episode
task.expert(decision) -> answer              an answer that is judged correct
task.diagnose(decision, answer) -> Diagnosis what the answer shows beyond its verdict
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from shiftgym.messages import Messages
from shiftgym.verdicts import Verdict


class Problem(Protocol):
    """One frozen, seeded instance of a task. A dataclass of plain values: `dataclasses.asdict` is its record."""

    @property
    def split(self) -> str: ...
    @property
    def index(self) -> int: ...


class Decision(Protocol):
    """One prompt that wants one right answer within a limited number of attempts."""

    @property
    def problem(self) -> Any: ...
    @property
    def prompt(self) -> Messages: ...
    def judge(self, answer: str) -> Verdict: ...
    def next(self) -> "Decision | None": ...


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an answer shows beyond its verdict. None means that the measure does not apply to this answer."""

    valid: bool
    """The answer keeps the task's syntax and allowed operations, whatever its value."""
    style: str
    """How it was answered, for example `direct` or `worked`; `none` when nothing could be read."""
    translated: bool | None
    """Every symbol was given its value under the rule in force."""
    perseverated: bool | None
    """A symbol was given its value under the trained rule although the rule in force says otherwise."""


class Task(Protocol):
    """A family of problems with a verifier. Constructed as `Task(options, splits, seed)`."""

    name: ClassVar[str]
    Options: ClassVar[type[BaseModel]]
    """Typed settings of the whole task (the `[task]` table of a study file)."""
    Setting: ClassVar[type[BaseModel]]
    """Typed settings of one split (a `[splits.NAME]` table): rule, look, difficulty, population."""
    outcomes: ClassVar[tuple[str, ...]]
    """The closed list of outcomes, best first."""

    splits: Mapping[str, Any]
    limit: int
    """Attempts a decision."""

    def problem(self, split: str, index: int) -> Any: ...
    def start(self, problem: Any) -> Decision: ...
    def expert(self, decision: Any) -> str: ...
    def diagnose(self, decision: Any, answer: str) -> Diagnosis: ...
