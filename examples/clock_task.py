"""A task of your own in one file: what does a clock of 12 or of 24 hours show some hours later?

    shiftgym check examples.clock_task:ClockTask
    shiftgym study run examples/clock.toml

The shift is the number of hours on the dial. Everything else (episodes, training, evaluation, report) comes with
shiftgym.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from shiftgym import Diagnosis, Messages, Verdict, rng, user


class Options(BaseModel):
    """The `[task]` table of a study file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    limit: int = Field(3, ge=1)


class Setting(BaseModel):
    """A `[splits.NAME]` table of a study file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    dial: int = Field(12, ge=2, le=24)
    """Hours on the dial; the rule that shifts."""


@dataclass(frozen=True)
class Clock:
    """One problem."""

    split: str
    index: int
    now: int
    later: int
    dial: int

    @property
    def hour(self) -> int:
        return (self.now + self.later) % self.dial


@dataclass(frozen=True)
class Reading:
    """The one decision of a problem."""

    problem: Clock

    @property
    def prompt(self) -> Messages:
        clock = self.problem
        return [
            user(
                f"A clock counts the hours 0 to {clock.dial - 1}. It shows {clock.now}. "
                f"What does it show {clock.later} hours later? Answer with one number."
            )
        ]

    def judge(self, answer: str) -> Verdict:
        found = re.search(r"\d{1,9}", answer, re.ASCII)
        if not found:
            return Verdict("no_number", -2.0, "There is no number in your answer.", False)
        if int(found[0]) != self.problem.hour:
            return Verdict("wrong_hour", -1.0, "That is not the hour.", False)
        return Verdict("correct", 1.0, "Correct.", True)

    def next(self) -> None:
        return None


class ClockTask:
    """Hours on a dial."""

    name: ClassVar[str] = "clock"
    Options: ClassVar[type[BaseModel]] = Options
    Setting: ClassVar[type[BaseModel]] = Setting
    outcomes: ClassVar[tuple[str, ...]] = ("correct", "wrong_hour", "no_number")

    def __init__(self, options: Options, splits: Mapping[str, Setting], seed: int, train: str | None) -> None:
        self.splits = dict(splits)
        self.limit = options.limit
        self._seed = seed
        self._trained = self.splits[train].dial if train in self.splits else None

    def problem(self, split: str, index: int) -> Clock:
        stream = rng(self._seed, self.name, split, index)
        dial = self.splits[split].dial
        return Clock(split, index, stream.randrange(dial), stream.randrange(1, 2 * dial), dial)

    def start(self, problem: Clock) -> Reading:
        return Reading(problem)

    def expert(self, decision: Reading) -> str:
        return str(decision.problem.hour)

    def diagnose(self, decision: Reading, answer: str) -> Diagnosis:
        clock, found = decision.problem, re.search(r"\d{1,9}", answer, re.ASCII)
        perseverated = None
        if self._trained is not None and clock.hour != (old := (clock.now + clock.later) % self._trained):
            perseverated = found is not None and int(found[0]) == old
        return Diagnosis(found is not None, "direct" if found else "none", None, perseverated)
