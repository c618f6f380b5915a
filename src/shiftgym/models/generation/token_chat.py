"""Conversations of a transformers model as tokens: what both ways to read them have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym import seeds
from shiftgym.messages import Messages
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.positions import position_limit, tell_limit
from shiftgym.models.ledger import Ledger
from shiftgym.policies.base import Answer, Transcript
from shiftgym.seeds import Names


class TokenPolicy:
    """A causal language model that answers by sampling from softmax(logits / temperature), whole and in float32.

    Args:
        temperature: 0 is greedy. Recorded log-probabilities are those of the sampling distribution; for greedy
            answers those at temperature 1.
        seed: with the names of a decision it fixes every sample. The noise of a token depends on those names, its
            attempt and its position alone, never on its row or on other answers of the batch.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        chat_format: ChatFormat,
        *,
        temperature: float,
        max_new_tokens: int,
        seed: int,
        ledger: Ledger | None = None,
    ) -> None:
        self.model, self.chat_format, self.ledger = model, chat_format, ledger
        self.positions = position_limit(model)
        self.temperature, self.max_new_tokens, self.seed = temperature, max_new_tokens, seed


@dataclass(slots=True)
class OpenConversation:
    """A conversation in flight."""

    prompt: Messages
    slot: int | None
    """Its row in a cache over all attempts; None once it was left out of a reply."""
    position_offset: int = 0
    """Offset added to token indices to get rotary positions after the prompt (non-zero only for models with 3-D image
    positions)."""
    ids: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    logprobs: list[list[float]] = field(default_factory=list)

    @property
    def cached(self) -> int:
        """How many of `ids` were read when the last answer was sampled: all up to its last token, which is read with
        the tokens after it."""
        return self.spans[-1][1] - 1 if self.spans else 0


PolicyT = TypeVar("PolicyT", bound=TokenPolicy)


class TokenChat(Generic[PolicyT]):
    """Conversations in flight; how a model reads them and samples is left to `_generate`."""

    def __init__(self, policy: PolicyT, prompts: Sequence[Messages], noise: Sequence[Names]) -> None:
        self._policy = policy
        self._names = noise
        self._attempts = 0
        self._conversations = [OpenConversation(prompt, slot) for slot, prompt in enumerate(prompts)]

    def _generate(
        self, rows: Sequence[int], talks: Sequence[OpenConversation]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Read what is new in each conversation and sample an answer; tokens and log-probabilities of each."""
        raise NotImplementedError

    def reply(self, rows: Sequence[int], messages: Sequence[Messages]) -> list[Answer]:
        talks = [self._conversations[row] for row in rows]
        fitting = [row for row, new in zip(rows, messages, strict=True) if self._extend(self._conversations[row], new)]
        written: dict[int, tuple[list[int], list[float]]] = {}
        if fitting:
            generated = self._generate(fitting, [self._conversations[row] for row in fitting])
            written = dict(zip(fitting, zip(*generated, strict=True), strict=True))
        return [self._answer(talk, *written.get(row, ([], []))) for row, talk in zip(rows, talks, strict=True)]

    def _extend(self, talk: OpenConversation, new: Messages) -> bool:
        """Add messages to a conversation, unless no answer to them would fit the model; whether one does."""
        policy, chat_format = self._policy, self._policy.chat_format
        added = chat_format.prompt([*talk.prompt, *new]) if not talk.spans else chat_format.reply(new, talk.ids[-1])
        if len(talk.ids) + len(added) >= policy.positions:
            tell_limit(policy.model.name_or_path or policy.model.config.model_type, policy.positions)
            # One token stands for a prompt that does not fit, so that the value of the attempt can be read. It is the
            # first that is not of a picture.
            talk.ids += [] if talk.spans else [next(token for token in added if token >= 0)]
            return False
        talk.ids += added
        return True

    def _answer(self, talk: OpenConversation, ids: list[int], logprobs: list[float]) -> Answer:
        """Add the tokens of an answer to its conversation; none stand for one that was too long."""
        chat_format, start = self._policy.chat_format, len(talk.ids)
        talk.ids += ids
        talk.spans.append((start, len(talk.ids)))
        talk.logprobs.append(logprobs)
        if not ids:
            return Answer("", 0, "too_long")
        ended = ids[-1] in chat_format.end_ids
        text = chat_format.opening + chat_format.text(ids[:-1] if ended else ids)
        return Answer(text, len(ids), "end" if ended else "length")

    def transcripts(self) -> list[Transcript]:
        return [Transcript(talk.ids, talk.spans, talk.logprobs) for talk in self._conversations]

    def _rooms(self, talks: Sequence[OpenConversation]) -> list[int]:
        """The longest answer in tokens that each of these conversations has room for."""
        policy = self._policy
        return [min(policy.max_new_tokens, policy.positions - len(talk.ids)) for talk in talks]

    def _noise(self, rows: Sequence[int]) -> Tensor:
        """Uniform noise of this attempt, (rows, max_new_tokens). Each row's follows from the names of its decision, so
        it is the same in every batch and on every device."""
        policy, attempt = self._policy, self._attempts
        self._attempts += 1
        if policy.temperature == 0:
            return torch.zeros(len(rows), policy.max_new_tokens)
        generator = torch.Generator()
        drawn = []
        for row in rows:
            generator.manual_seed(seeds.derive(policy.seed, *self._names[row], attempt))
            drawn.append(torch.rand(policy.max_new_tokens, generator=generator))
        return torch.stack(drawn)
