"""Generators of the package reasoning-gym as a task: the shift is a difference of a generator's configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shiftgym.errors import ConfigError
from shiftgym.messages import Messages
from shiftgym.reading import nearest
from shiftgym.seeds import derive
from shiftgym.tasks.answer import Form
from shiftgym.tasks.base import Diagnosis
from shiftgym.tasks.partition import kind_of
from shiftgym.tasks.reasoning_gym import library, prompts, verifier
from shiftgym.tasks.reasoning_gym.generators import EXCLUDED, PROVED
from shiftgym.tasks.reasoning_gym.verifier import Question
from shiftgym.tasks.reasoning_gym.verify_line import ReasoningGymRequest
from shiftgym.verdicts import Verdict

TEST_SHARE = 0.3
"""Share of questions that are kept for testing."""

KEPT = 4096
"""Problems that a task keeps, since some take long to make and every checkpoint is tested on the same ones."""

MAX_DRAWS = 100
"""Items that are drawn for one problem before a setting is called impossible."""


class ReasoningGymOptions(BaseModel):
    """Settings of the whole task."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    generator: str = "countdown"
    """The generator of reasoning-gym; docs/integrations/reasoning_gym.md lists those that are proved."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of the generator that differ from its own defaults, in all splits."""
    limit: int = Field(5, ge=1)
    """Attempts a question."""
    hint: verifier.Hint = "outcome"
    """What feedback says after a failed attempt: only that it failed, or the outcome."""
    form: Form = "json"
    """How answers are to be written: as a JSON object, or as one line a field."""

    @field_validator("generator")
    @classmethod
    def _proved(cls, name: str) -> str:
        if name in EXCLUDED:
            raise ValueError(f"{name!r} is not taken: {EXCLUDED[name]}")
        if name not in PROVED:
            raise ValueError(f"unknown generator {name!r}{nearest(name, PROVED)}")
        return name


class ReasoningGymSetting(BaseModel):
    """Settings of one split: what shifts, and which questions are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of the generator that differ from those of the task: the shift."""
    population: Literal["train", "test", "all"] = "train"
    """Ask only training questions, only test questions, or all. No question is both."""


@dataclass(frozen=True, slots=True)
class QuestionDecision:
    """The one decision of a question."""

    problem: Question
    hint: verifier.Hint
    form: Form

    @property
    def prompt(self) -> Messages:
        return prompts.prompt(self.problem.question, self.form)

    def judge(self, answer: str) -> Verdict:
        return verifier.judge(answer, self.problem, self.form, self.hint)

    def next(self) -> None:
        return None


class ReasoningGymTask:
    """Questions of one generator of reasoning-gym.

    Args:
        options: settings of the whole task.
        splits: settings of each split, by name.
        seed: the data seed; it alone decides which problem has which index.
        train: the split that is trained on. It plays no part: what an answer would have been under another
            configuration has no meaning here, so perseveration is not measured.

    Raises:
        ConfigError: the package is not installed, or a split has no first question.
        WrongValue: a configuration is not one of the generator.
    """

    name: ClassVar[str] = "reasoning_gym"
    Options: ClassVar[type[BaseModel]] = ReasoningGymOptions
    Setting: ClassVar[type[BaseModel]] = ReasoningGymSetting
    outcomes: ClassVar[tuple[str, ...]] = tuple(outcome.value for outcome in verifier.Outcome)
    VerifyRequest: ClassVar[type[ReasoningGymRequest]] = ReasoningGymRequest
    field: ClassVar[str] = verifier.FIELD

    def __init__(
        self, options: ReasoningGymOptions, splits: Mapping[str, ReasoningGymSetting], seed: int, train: str | None
    ) -> None:
        self.options = options
        self.splits: Mapping[str, Any] = dict(splits)
        self.seed = seed
        self.limit = options.limit
        self.form = options.form
        self._kept = lru_cache(KEPT)(self._drawn)
        library.typed_config(options.generator, options.config, "task.config")
        self._configs = {name: options.config | setting.config for name, setting in splits.items()}
        for name, config in self._configs.items():
            path = f"splits.{name}.config"
            library.check_config(options.generator, library.typed_config(options.generator, config, path), path)
            # What cannot be asked is told now, and not in the middle of a run.
            self.problem(name, 0)

    def problem(self, split: str, index: int) -> Question:
        """Problem `index` of `split`: drawn until the question belongs to the split and its answer is judged right.

        Raises:
            ConfigError: no such question came up in `MAX_DRAWS` draws.
        """
        return self._kept(split, index)

    def _drawn(self, split: str, index: int) -> Question:
        population, refused = self.splits[split].population, ""
        for draw in range(MAX_DRAWS):
            seed = derive(self.seed, self.name, split, index, draw)
            try:
                item = library.item(self.options.generator, self._configs[split], seed)
            except Exception as error:  # noqa: BLE001
                # A generator raises what it likes where its configuration leaves it nothing to ask.
                refused = f"; the generator said: {error}"
                continue
            if population not in ("all", kind_of_question(item["question"])):
                continue
            found = self._question(split, index, item)
            if verifier.is_right(found.answer, found):
                return found
        raise ConfigError(
            f"splits.{split}: no {population} question in {MAX_DRAWS} draws of {self.options.generator}; "
            f"its config leaves too few different questions{refused}"
        )

    def _question(self, split: str, index: int, item: Mapping[str, Any]) -> Question:
        """An item as a problem, without what nobody reads."""
        generator, metadata = self.options.generator, item["metadata"]
        answer = PROVED[generator].answer(item)
        return Question(split, index, generator, item["question"], answer, verifier.recorded(metadata, generator))

    def start(self, problem: Question) -> QuestionDecision:
        return QuestionDecision(problem, self.options.hint, self.form)

    def expert(self, decision: QuestionDecision) -> str:
        """The generator's own answer."""
        return prompts.answer(decision.problem.answer, self.form)

    def diagnose(self, decision: QuestionDecision, answer: str) -> Diagnosis:
        fields = verifier.read(answer, self.form)
        valid = bool(verifier.answer_text(fields, self.form))
        style = ("worked" if fields.get("steps") else "direct") if valid else "none"
        return Diagnosis(valid, style, translated=None, perseverated=None)


def kind_of_question(question: str) -> Literal["train", "test"]:
    """Whether a question is for training or for testing. It is decided by its words in alphabetical order, so the same
    question in another order, such as 2 + 3 and 3 + 2, is on the same side."""
    return kind_of(" ".join(sorted(re.findall(r"\w+", question))), TEST_SHARE)
