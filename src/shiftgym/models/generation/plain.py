"""The plain path: a model reads every conversation whole and anew, by its own `generate`, cache and masks.

It takes every family that the fast path (`generate.py`) cannot hold. Only the choice of tokens and the end of
answers are ours, and they are the same as there, so both paths give the same answers up to rounding.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel, StoppingCriteria
from transformers.generation.logits_process import LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteriaList

from shiftgym.errors import TrainingStopped
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.crossing import crossed
from shiftgym.models.generation.sampling import NOT_FINITE, draw
from shiftgym.models.generation.token_chat import OpenConversation, TokenChat, TokenPolicy
from shiftgym.models.ledger import Ledger
from shiftgym.models.lora import has_adapter
from shiftgym.models.score import accepted, speakable
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision


class PlainPolicy(TokenPolicy):
    """A model that reads conversations whole; see `TokenPolicy` for the other arguments.

    Args:
        padded: conversations of different lengths are answered together, padded on the left. Not every family leaves
            padding out of account.
        cached: within one answer the model keeps its own cache; without one it reads all for every token.
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
        padded: bool = True,
        cached: bool = True,
    ) -> None:
        super().__init__(
            model, chat_format, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed, ledger=ledger
        )
        self.padded, self.cached = padded, cached

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> "PlainChat":
        return PlainChat(self, [decision.prompt for decision in decisions], noise)


class PlainChat(TokenChat[PlainPolicy]):
    """Conversations in flight, of which nothing is kept but their tokens."""

    def _generate(
        self, rows: Sequence[int], talks: Sequence[OpenConversation]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Read each conversation and sample an answer; tokens and log-probabilities of each."""
        noise = self._noise(rows).to(self._policy.model.device)
        # A row whose answer is over is computed on until all are, but never beyond the last position of the model, so
        # conversations that have less room are answered on their own.
        pictures = self._policy.chat_format.pictures
        batches: dict[tuple[int, int, int], list[int]] = {}
        for at, (talk, room) in enumerate(zip(talks, self._rooms(talks), strict=True)):
            beside = pictures.beside(talk.ids) if pictures is not None else 0
            batches.setdefault((room, 0 if self._policy.padded else len(talk.ids), beside), []).append(at)
        written: dict[int, tuple[list[int], list[float]]] = {}
        with own_generation(self._policy.model):
            for (room, *_), members in batches.items():
                answers = self._answers([talks[at].ids for at in members], room, noise[members])
                written.update(zip(members, answers, strict=True))
        return [written[at][0] for at in range(len(talks))], [written[at][1] for at in range(len(talks))]

    def _answers(self, ids: list[list[int]], room: int, noise: Tensor) -> list[tuple[list[int], list[float]]]:
        """Tokens and log-probabilities of an answer of at most `room` tokens to each conversation.

        Args:
            noise: (rows, room or more) uniform in [0, 1).
        """
        policy, model, width = self._policy, self._policy.model, max(map(len, ids))
        stops = torch.tensor(sorted(policy.chat_format.end_ids), device=noise.device)
        sampler = _Sampler(model, policy.temperature, noise, stops)
        model.generate(  # type: ignore[operator]
            **self._inputs(ids, width),
            generation_config=_settings(max_new_tokens=room, do_sample=False, use_cache=policy.cached),
            logits_processor=LogitsProcessorList([sampler]),
            stopping_criteria=StoppingCriteriaList([_Ended(sampler)]),
            # Ranks need not take the same number of steps, since each has all weights meanwhile.
            synced_gpus=False,
        )
        answers = sampler.answers()
        if policy.ledger is not None:
            self._charge(policy.ledger, ids, width, len(sampler.tokens), sum(len(tokens) for tokens, _ in answers))
        return answers

    def _inputs(self, ids: list[list[int]], width: int) -> dict[str, Any]:
        """What the model takes: tokens (rows, width) padded on the left, where padding is, and what it takes for
        pictures."""
        pictures, device = self._policy.chat_format.pictures, self._policy.model.device
        rows = [[0] * (width - len(row)) + row for row in ids]
        tokens = torch.tensor(rows, device=device)
        inputs: dict[str, Any] = {"input_ids": tokens}
        if min(map(len, ids)) < width:
            lengths = torch.tensor([len(row) for row in ids], device=device)
            inputs["attention_mask"] = (torch.arange(width, device=device) >= width - lengths[:, None]).long()
        if pictures is not None:
            inputs["input_ids"] = torch.where(tokens < 0, pictures.token, tokens)
            inputs |= {name: value.to(device) for name, value in pictures.batch(rows, width).items()}
        return accepted(self._policy.model, inputs)

    def _charge(self, ledger: Ledger, ids: list[list[int]], width: int, steps: int, sampled: int) -> None:
        """Charge the passes that `generate` made, one for each of `steps` tokens."""
        policy, rows = self._policy, len(ids)
        pictures = policy.chat_format.pictures
        shown = [number for row in ids for number in pictures.order(row)] if pictures is not None else []
        alone: bool = policy.model._supports_logits_to_keep()  # type: ignore[operator]
        for step in range(steps):
            new = width + step if not policy.cached else 1 if step else width
            ledger.generated(
                rows=rows,
                new_tokens=new,
                context=width + step,
                heads=rows if alone else rows * new,
                sampled=0 if step else sampled,
                adapted=has_adapter(policy.model),
            )
            if pictures is not None:
                encoded = 0 if step and policy.cached else pictures.flops(shown)
                ledger.encoded(encoded + crossed(policy.model, pictures=len(shown), rows=rows, tokens=new))


class _Sampler(LogitsProcessor):
    """Samples a token of every row and leaves only that one for `generate` to choose."""

    def __init__(self, model: PreTrainedModel, temperature: float, noise: Tensor, stops: Tensor) -> None:
        """
        Args:
            noise: (rows, steps or more) uniform in [0, 1).
            stops: (S,) int64, the tokens that end an answer.
        """
        self._model, self._temperature, self._noise, self._stops = model, temperature, noise, stops
        self.ended = torch.zeros(len(noise), dtype=torch.bool, device=noise.device)
        """(rows,) whether the answer is over."""
        self.tokens: list[Tensor] = []
        """Of each step, (rows,)."""
        self._logprobs: list[Tensor] = []
        self._finite: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Logits (rows, V) that are 0 for the sampled token and minus infinity elsewhere.

        Args:
            input_ids: (rows, all tokens so far).
            scores: (rows, V) float32 logits of the model.
        """
        noise = self._noise[:, len(self.tokens)]
        token, logprob, finite = draw(speakable(self._model, scores), self._temperature, noise)
        self.tokens.append(token)
        self._logprobs.append(logprob)
        self._finite.append(finite)
        self.ended |= torch.isin(token, self._stops)
        return torch.full_like(scores, -torch.inf).scatter_(1, token[:, None], 0.0)

    def answers(self) -> list[tuple[list[int], list[float]]]:
        """Tokens and log-probabilities of each row, up to the first that ends its answer.

        Raises:
            TrainingStopped: a logit was NaN or infinite.
        """
        if not torch.stack(self._finite).all():
            raise TrainingStopped(NOT_FINITE)
        tokens, logprobs = torch.stack(self.tokens, 1), torch.stack(self._logprobs, 1)
        ended = torch.isin(tokens, self._stops)
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, tokens.shape[1]).tolist()
        rows = zip(tokens.tolist(), logprobs.tolist(), lengths, strict=True)
        return [(ids[:length], logs[:length]) for ids, logs, length in rows]


class _Ended(StoppingCriteria):
    """Ends `generate` once all answers are over."""

    def __init__(self, sampler: _Sampler) -> None:
        self._sampler = sampler

    def __call__(self, input_ids: Tensor, scores: Tensor | None, **kwargs: Any) -> Tensor:
        """(rows,) bool, for `input_ids` (rows, all tokens so far); `scores` (rows, V) are not needed."""
        return self._sampler.ended


@contextmanager
def own_generation(model: PreTrainedModel) -> Iterator[None]:
    """Within: no dropout, and none of the settings of generation that a checkpoint carries, such as penalties, forced
    tokens or a longest length. The model is left as it was."""
    settings, training = model.generation_config, model.training
    model.generation_config = _settings()
    model.train(False)
    try:
        yield
    finally:
        model.generation_config = settings
        model.train(training)


def _settings(**given: Any) -> GenerationConfig:
    return GenerationConfig(**given)  # type: ignore[no-untyped-call]
