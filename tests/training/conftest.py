"""A task that a model of 10,000 weights can learn, and that model: `repeat` shows a digit and wants it back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from pydantic import BaseModel
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shiftgym import seeds
from shiftgym.messages import Messages, user
from shiftgym.models.chat import ChatFormat
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.tasks.base import Diagnosis
from shiftgym.training.recipe import Context
from shiftgym.verdicts import Verdict

WORDS = ["<end>", "<user>", "<answer>", "repeat", "wrong", *map(str, range(8))]


@dataclass(frozen=True)
class Digit:
    split: str
    index: int
    digit: str


@dataclass(frozen=True)
class Ask:
    problem: Digit

    @property
    def prompt(self) -> Messages:
        return [user(f"repeat {self.problem.digit}")]

    def judge(self, answer: str) -> Verdict:
        correct = answer.strip() == self.problem.digit
        return Verdict("correct" if correct else "wrong", 5.0 if correct else -1.0, "wrong", correct)

    def next(self) -> None:
        return None


class Repeat:
    name: ClassVar[str] = "repeat"
    Options: ClassVar[type[BaseModel]] = BaseModel
    Setting: ClassVar[type[BaseModel]] = BaseModel
    outcomes: ClassVar[tuple[str, ...]] = ("correct", "wrong")
    splits: ClassVar[dict[str, Any]] = {"train": None}
    limit = 3

    def problem(self, split: str, index: int) -> Digit:
        return Digit(split, index, str(seeds.rng(0, split, index).randrange(8)))

    def start(self, problem: Digit) -> Ask:
        return Ask(problem)

    def expert(self, decision: Ask) -> str:
        return decision.problem.digit

    def diagnose(self, decision: Ask, answer: str) -> Diagnosis:
        return Diagnosis(True, "direct", None, None)


def tiny_model() -> LlamaForCausalLM:
    """Always the same weights."""
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 0.1, generator=generator)
    return model


def tokenizer() -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="wrong"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")
    made.add_special_tokens({"additional_special_tokens": ["<user>", "<answer>"]})
    made.chat_template = (
        "{% for m in messages %}{{ ('<user> ' if m.role == 'user' else '') + m.content + ' <end> ' }}{% endfor %}"
        "<answer> "
    )
    return made


@pytest.fixture
def make_model() -> Callable[[], LlamaForCausalLM]:
    return tiny_model


@pytest.fixture(scope="session")
def chat_format() -> ChatFormat:
    return ChatFormat(tokenizer())


@pytest.fixture
def task() -> Repeat:
    return Repeat()


@pytest.fixture
def context(chat_format: ChatFormat, task: Repeat) -> Context:
    model = tiny_model()
    return Context(model, chat_format, task, 0, Ledger(ModelShape.of(model)))
