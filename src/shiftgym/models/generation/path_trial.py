"""A branching conversation and some attempts at it, by which the two ways to read a model are compared.

The truth is what the whole model says of whole rows, padded on the right, without a cache.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite
from statistics import fmean

import torch
from PIL import Image
from transformers import PreTrainedModel

from shiftgym.messages import Messages, user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.generate import ModelChat, ModelPolicy
from shiftgym.models.generation.plain import PlainChat, PlainPolicy
from shiftgym.models.generation.positions import position_limit
from shiftgym.models.microbatches import microbatches
from shiftgym.models.prefixes import decoder_config, sliding_window
from shiftgym.models.score import score

LONGEST = 256
"""Most tokens of a prompt that is tried. A longer window is trusted to be what the configuration says."""

SHORTEST = 32
"""The length that it has where there is no window."""

ATTEMPTS, ANSWER = 2, 2
"""How many answers of how many tokens."""

PLAIN_ANSWER = 8
"""Tokens of an answer on the plain path, where the states of some families drift away with every token."""

TEMPERATURE = 2.0
"""Sampling spreads over unlikely tokens, whose log-probabilities show more of what was attended to."""

TOLERANCE = {torch.float32: 2e-4, torch.float16: 0.02, torch.bfloat16: 0.1}
"""Mean difference of log-probabilities in nats that rounding explains."""


@dataclass(frozen=True, slots=True)
class PlainWay:
    """How a model takes the plain path; see `ReadingPath`."""

    padded: bool
    cached: bool
    trunk: bool
    gap: float
    """By how many nats its answers differ from whole rows, 0 if by no more than rounding explains."""


class PathTrial:
    """The two paths of a model on the same prompts."""

    def __init__(self, model: PreTrainedModel, chat_format: ChatFormat, prompts: list[Messages]) -> None:
        self._model, self._chat_format, self._prompts = model, chat_format, prompts
        self._tolerance = TOLERANCE.get(model.dtype, TOLERANCE[torch.bfloat16])
        self._conversations: list[Conversation] = []
        self._truth: list[float] = []

    def fast(self, *, trees: bool) -> tuple[str | None, bool]:
        """Why this model cannot take the fast path, as the end of a sentence, or None; and whether conversations may
        share rows in training, which is only tried if `trees`."""
        # Growing steps leave no captured ones and no stores behind.
        policy = ModelPolicy(
            self._model, self._chat_format, temperature=TEMPERATURE, max_new_tokens=ANSWER, seed=0, steps="growing"
        )
        recorded = self._play(ModelChat(policy, self._prompts, self._names))
        if (gap := self._gap(recorded)) > self._tolerance:
            return f"answers read from a cache over several attempts differ from whole rows by {gap:.2g} nats", False
        if trees and self._gap(self._scored(trees=True)) <= self._tolerance:
            return None, True
        if (gap := self._gap(self._scored())) > self._tolerance:
            return f"the logits of its output embeddings differ from its own by {gap:.2g} nats", False
        return None, False

    def plain(self) -> PlainWay:
        """How this model takes the plain path: the first of three ways, each slower than the one before, on which its
        answers are those of whole rows; if they are on none, the nearest."""
        found: list[PlainWay] = []
        for padded, cached in ((True, True), (False, True), (False, False)):
            policy = PlainPolicy(
                self._model,
                self._chat_format,
                temperature=TEMPERATURE,
                max_new_tokens=PLAIN_ANSWER,
                seed=0,
                padded=padded,
                cached=cached,
            )
            gap = self._gap(self._play(PlainChat(policy, self._prompts, self._names)))
            # A model without a trunk of its own cannot be asked for states alone.
            trunk = self._model.base_model is not self._model and self._gap(self._scored(plain=True)) <= self._tolerance
            if gap <= self._tolerance:
                return PlainWay(padded, cached, trunk, 0.0)
            found.append(PlainWay(padded, cached, trunk, gap))
        return min(found, key=lambda way: way.gap)

    @property
    def _names(self) -> list[list[str | int]]:
        return [["probe", row] for row in range(len(self._prompts))]

    def _play(self, chat: ModelChat | PlainChat) -> list[float]:
        """Let every conversation have its attempts; the log-probabilities that they were sampled at."""
        rows = range(len(self._prompts))
        for attempt in range(ATTEMPTS):
            chat.reply(rows, [[user("No.")] if attempt else [] for _ in rows])
        transcripts = chat.transcripts()
        self._conversations = [Conversation(each.ids, each.spans) for each in transcripts]
        self._truth = self._scored(plain=True, whole=True)
        return [value for each in transcripts for answer in each.logprobs for value in answer]

    def _scored(self, *, trees: bool = False, plain: bool = False, whole: bool = False) -> list[float]:
        """Log-probabilities of the answer tokens as training computes them."""
        (batch,) = microbatches(
            self._conversations,
            sys.maxsize,
            self._model.device,
            trees=trees,
            pictures=self._chat_format.pictures,
            plain=plain,
        )
        scores = score(self._model, batch.packed, batch.predictors, batch.targets, TEMPERATURE, whole=whole)
        flat, found = scores.logprobs.tolist(), {}
        for member in batch.members:
            size = self._conversations[member].answer_tokens
            found[member], flat = flat[:size], flat[size:]
        return [value for member in sorted(found) for value in found[member]]

    def _gap(self, logprobs: Sequence[float]) -> float:
        """The mean difference from the truth; infinite where one is no number."""
        mean = fmean(abs(a - b) for a, b in zip(logprobs, self._truth, strict=True))
        return mean if isfinite(mean) else inf


@dataclass(frozen=True, slots=True)
class _Stripes:
    """A picture of black and white stripes."""

    width: int
    """Of a stripe, in pixels."""

    def draw(self) -> Image.Image:
        line = bytes(255 * (at // self.width % 2) for at in range(64))
        return Image.frombytes("L", (64, 64), line * 64).convert("RGB")


def prompts_for(model: PreTrainedModel, chat_format: ChatFormat) -> list[Messages]:
    """Two prompts that part late and one that is short; longer than the smallest window where that is not too long, and
    none if they do not fit the model. A model that sees is shown a picture in each."""
    windows = [sliding_window(model), getattr(decoder_config(model), "attention_chunk_size", None)]
    lengths = [window + 1 for window in windows if window is not None and window < LONGEST]
    pictures, others = ([_Stripes(width)] if chat_format.pictures is not None else [] for width in (3, 5))

    def prompt(words: int, end: str) -> Messages:
        return [user("Say " + "one two three " * words + end, *pictures)]

    once, twice = (len(chat_format.prompt(prompt(words, "A"))) for words in (1, 2))
    words = 1 + max(0, ceil((min(lengths, default=SHORTEST) - once) / (twice - once)))
    prompts = [prompt(words, "A"), prompt(words, "B"), [user("Hi", *others)]]
    most = ATTEMPTS * PLAIN_ANSWER + len(chat_format.reply([user("No.")]))
    longest = max(len(chat_format.prompt(each)) for each in prompts)
    return prompts if longest + most < position_limit(model) else []
