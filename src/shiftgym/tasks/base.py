"""The contract of a task. A task speaks messages and knows nothing of tokens, models or files.

task.problem(split, index) -> Problem        frozen, seeded, JSON-serialisable
task.start(problem) -> Decision              one prompt that wants one right answer
decision.judge(answer) -> Verdict            never raises, bounded time, on any text
decision.next() -> Decision | None           after a right answer; None ends the episode
task.expert(decision) -> answer              an answer that is judged correct
task.diagnose(decision, answer) -> Diagnosis what the answer shows beyond its verdict

What a task may have besides: `VerifyRequest` (a line of `shiftgym verify`), `field` (the field of the answer that a
bare answer stands for) with `form` (how answers are written, as JSON unless it says otherwise), and the methods of
`Drawn` and `Perturbed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

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
    recognised: bool | None = None
    """What the picture shows was read rightly, whatever was made of it; None in text."""
    kinds: tuple[str, ...] = ()
    """Labels of the decision under which accuracy is counted, such as `turn` and `turn by compass word`."""


class Task(Protocol):
    """A family of problems with a verifier. Constructed as `Task(options, splits, seed, train)`.

    `splits` maps each split's name to its settings, `seed` decides the problems, and `train` names the split that is
    trained on: perseveration is measured against its rule, and not at all if it is None or not among the splits.
    """

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


@runtime_checkable
class Drawn(Protocol):
    """A task whose problems can be drawn."""

    def sketch(self, decision: Any) -> str:
        """What there is to see up to this decision, in characters: at most 80 columns."""
        ...

    def figure(self, problem: Any, marks: Mapping[int, str]) -> str:
        """The problem as SVG; `marks` says what was answered wrong at which decision, counted from 0."""
        ...


@runtime_checkable
class Perturbed(Protocol):
    """A task whose problems have near neighbours."""

    def perturbed(self, problem: Any) -> Mapping[str, Any]:
        """Kind of change -> the problem changed a little in that way. Whoever can solve it can solve these."""
        ...


class VerifyRequest(BaseModel):
    """One line of `shiftgym verify` about a task: everything that judging an answer takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def result(self) -> dict[str, Any]:
        """Outcome, reward and feedback.

        Raises:
            ConfigError: there is no such rule.
            ValueError: a field says what cannot be; the message begins with its name.
        """
        raise NotImplementedError

    @staticmethod
    def judged(verdict: Verdict) -> dict[str, Any]:
        """What is told of a verdict."""
        return {"outcome": verdict.outcome, "reward": verdict.reward, "feedback": verdict.feedback}
