"""A task of prompts and answers of fixed lengths, and its chat format, which `benchmarks/gpu.py` trains and asks."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

from shiftgym.messages import Messages, user
from shiftgym.seeds import rng
from shiftgym.tasks.base import Diagnosis
from shiftgym.verdicts import Verdict


class Words:
    """A chat format with a token for every word, in which no answer ever ends by itself."""

    opening = ""
    end_ids = frozenset({-1})
    pictures = None

    def __init__(self, vocabulary: int) -> None:
        self.vocabulary = vocabulary

    def _tokens(self, text: str) -> list[int]:
        return [int(w) if w.isdigit() else zlib.crc32(w.encode()) % self.vocabulary for w in text.split()]

    def prompt(self, messages: Messages, *, closed: bool = False) -> list[int]:
        return self._tokens(" ".join(message["content"] for message in messages))

    def reply(self, messages: Messages, last: int | None = None) -> list[int]:
        return self.prompt(messages)

    def answer(self, text: str) -> list[int]:
        return self._tokens(text)

    def text(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))

    def flops(self, shown: Sequence[int]) -> int:
        return 0

    backward_flops = flops


@dataclass(frozen=True)
class Numbers:
    """A problem: a prompt of random tokens."""

    split: str
    index: int
    tokens: str


@dataclass(frozen=True)
class Ask:
    """Its one decision. About half of all answers are right."""

    problem: Numbers

    @property
    def prompt(self) -> Messages:
        return [user(self.problem.tokens)]

    def judge(self, answer: str) -> Verdict:
        right = zlib.crc32(answer.encode()) % 2 == 0
        return Verdict("correct" if right else "wrong", 1.0 if right else -1.0, "wrong", right)

    def next(self) -> None:
        return None


class Continue:
    """A task of prompts and answers of fixed lengths."""

    name: ClassVar[str] = "continue"
    Options: ClassVar[type[BaseModel]] = BaseModel
    Setting: ClassVar[type[BaseModel]] = BaseModel
    outcomes: ClassVar[tuple[str, ...]] = ("correct", "wrong")
    splits: ClassVar[dict[str, Any]] = {"train": None}
    limit = 1

    def __init__(self, vocabulary: int, prompt: int, answer: int) -> None:
        self.vocabulary, self.prompt, self.answer = vocabulary, prompt, answer

    def _words(self, count: int, *names: str | int) -> str:
        numbers = rng(0, *names)
        return " ".join(str(numbers.randrange(self.vocabulary)) for _ in range(count))

    def problem(self, split: str, index: int) -> Numbers:
        return Numbers(split, index, self._words(self.prompt, split, index))

    def start(self, problem: Numbers) -> Ask:
        return Ask(problem)

    def expert(self, decision: Ask) -> str:
        return self._words(self.answer, "expert", decision.problem.index)

    def diagnose(self, decision: Ask, answer: str) -> Diagnosis:
        return Diagnosis(True, "direct", None, None)
