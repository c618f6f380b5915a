"""A task that a model of 10,000 weights can learn, and that model: `repeat` shows a digit and wants it back."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import BaseModel
from tests.training.runs import Run, Train
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shiftgym import seeds
from shiftgym.messages import Messages, user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.microbatches import Microbatch, microbatches
from shiftgym.tasks.base import Diagnosis, Task
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.recipe import Recipe
from shiftgym.training.trainer import TrainingResult, make_recipe, train
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


class Bench:
    """Recipes at work on the tiny task, all on one model and one ledger."""

    def __init__(self, chat_format: ChatFormat, task: Repeat) -> None:
        self.model, self.chat_format, self.task = tiny_model(), chat_format, task
        self.ledger = Ledger(ModelShape.of(self.model))

    def make(self, recipe: type[Recipe], **settings: Any) -> Recipe:
        typed = recipe.Settings(**settings)
        return make_recipe(recipe, typed, self.model, self.chat_format, self.task, seed=0, ledger=self.ledger)

    def collected(self, recipe: Recipe, step: int = 1) -> list[Conversation]:
        """What the loop learns from, as it is handed to the loss."""
        return list(chain(*self._loop(recipe).referred(recipe.collect(step).groups)))

    def loss(self, recipe: Recipe, batch: Microbatch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The whole loss: the recipe's and what the loop adds to it."""
        loop = self._loop(recipe)
        return loop.loss(batch, *loop.score(batch))

    def gradient(self, loss: torch.Tensor) -> torch.Tensor:
        """All gradients of the model in one row."""
        self.model.zero_grad()
        loss.backward()
        return self.gradients()

    def gradients(self) -> torch.Tensor:
        return torch.cat([weight.grad.flatten() for weight in self.model.parameters() if weight.grad is not None])

    def disturb(self) -> None:
        """Move every weight a little, as training would."""
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))

    def right(self, conversation: Conversation) -> bool:
        """Whether the only answer of a conversation is the digit that was shown."""
        ((start, stop),) = conversation.spans
        tokens = [token for token in conversation.ids[start:stop] if token not in self.chat_format.end_ids]
        asked = self.chat_format.tokenizer.decode([conversation.ids[2]])
        return self.chat_format.text(tokens).strip() == asked.strip()

    @staticmethod
    def one_pass(conversations: list[Conversation]) -> Microbatch:
        (batch,) = microbatches(conversations, 10**6, torch.device("cpu"), trees=False)
        return batch

    @staticmethod
    def _loop(recipe: Recipe) -> Loop:
        return Loop(recipe, Path(), Limits(steps=1))


@pytest.fixture
def bench(chat_format: ChatFormat, task: Repeat) -> Bench:
    return Bench(chat_format, task)


@pytest.fixture
def make_bench(chat_format: ChatFormat, task: Repeat) -> Callable[[], Bench]:
    """Makes a bench with weights of its own, always the same."""
    return lambda: Bench(chat_format, task)


@pytest.fixture
def run(make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task) -> Train:
    def go(recipe: Run, folder: Path, **options: Any) -> tuple[TrainingResult, LlamaForCausalLM]:
        model = make_model()
        name, settings = recipe
        return train((model, chat_format), name, task, settings=settings, folder=folder, **options), model

    return go
