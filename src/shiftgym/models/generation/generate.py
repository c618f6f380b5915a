"""The transformers model as a policy: batched answers by sampling, one key-value cache across all attempts."""

from collections.abc import Hashable, Sequence
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.messages import Messages
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.decoding import decoding
from shiftgym.models.generation.reader import Reader
from shiftgym.models.generation.rows import Rows
from shiftgym.models.generation.steps import StepKind, steps_of
from shiftgym.models.generation.token_chat import OpenConversation, TokenChat, TokenPolicy
from shiftgym.models.ledger import Ledger
from shiftgym.models.lora import has_adapter
from shiftgym.models.prefixes import Packed, decoder_config, locate, pack_prefix_trees
from shiftgym.policies.base import Answer
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision

PROMPT_TREE = 1024
"""Most tokens in a row that several prompts share."""


class ModelPolicy(TokenPolicy):
    """A model of attention layers that reads each token once: one key-value cache holds all attempts.

    Args:
        steps: how decode steps are run, see `steps.py`; no answer depends on it. On CUDA they are captured.

    See `TokenPolicy` for the other arguments.
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
        steps: StepKind = "auto",
    ) -> None:
        super().__init__(
            model, chat_format, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed, ledger=ledger
        )
        self.layers: int = decoder_config(model).num_hidden_layers
        self.rotary = chat_format.pictures is not None and chat_format.pictures.rotary
        self.reader = Reader(model, rotary=self.rotary)
        self.steps = steps_of(model, steps)

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What a decode step depends on besides its sizes and the values that it reads."""
        attention = decoder_config(self.model)._attn_implementation
        return attention, self.rotary, self.temperature, tuple(sorted(self.chat_format.end_ids))

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> "ModelChat":
        return ModelChat(self, [decision.prompt for decision in decisions], noise)


class ModelChat(TokenChat[ModelPolicy]):
    """Conversations in flight. One that is left out of a reply is closed and cannot be taken up again."""

    def __init__(self, policy: ModelPolicy, prompts: Sequence[Messages], noise: Sequence[Names]) -> None:
        super().__init__(policy, prompts, noise)
        self._cache = policy.steps.cache(policy.layers)

    def reply(self, rows: Sequence[int], messages: Sequence[Messages]) -> list[Answer]:
        with decoding(self._policy.model):
            return super().reply(rows, messages)

    def _extend(self, talk: OpenConversation, new: Messages) -> bool:
        fits, pictures = super()._extend(talk, new), self._policy.chat_format.pictures
        if fits and not talk.spans and pictures is not None and self._policy.rotary:
            talk.position_offset = int(pictures.positions(talk.ids)[0, -1]) + 1 - len(talk.ids)
        return fits

    @torch.inference_mode()
    def _generate(
        self, rows: Sequence[int], talks: Sequence[OpenConversation]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Read the new tokens of each conversation and sample an answer; tokens and log-probabilities of each."""
        policy, count = self._policy, len(talks)
        device = policy.model.device
        starts, rooms = [len(talk.ids) for talk in talks], self._rooms(talks)
        answers = policy.steps.begin(self._cache, [_open(talk) for talk in talks], policy.max_new_tokens)
        for talk in self._conversations:
            talk.slot = None

        start, room = torch.tensor(starts, device=device), torch.tensor(rooms, device=device)
        offset = torch.tensor([talk.position_offset for talk in talks], device=device)
        answers.begin(start, room, offset, self._noise(rows).to(device))
        stops = policy.steps.stops(policy.chat_format.end_ids)
        logits = self._read_on(talks, start, offset) if self._attempts > 1 else self._read_prompts(talks)
        answers.front(count).write(logits, policy.temperature, stops)
        self._write(answers, stops, max(starts), max(rooms))

        for slot, row in enumerate(answers.order.tolist()):
            if row < count:
                talks[row].slot = slot
        slots = [_open(talk) for talk in talks]
        tokens, logprobs = answers.tokens[slots], answers.logprobs[slots]
        ended = torch.isin(tokens, stops)
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, room).minimum(room).tolist()
        if policy.ledger is not None:
            policy.ledger.tokens_generated += sum(lengths)
        return (
            [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)],
            [row[:length] for row, length in zip(logprobs.tolist(), lengths, strict=True)],
        )

    def _write(self, answers: Rows, stops: Tensor, longest: int, limit: int) -> None:
        """Write answers that have one token each to their end.

        Args:
            stops: (S,) int64, tokens that end an answer.
            longest: tokens of the longest conversation before its answer.
            limit: most tokens of an answer.
        """
        policy, cache, steps = self._policy, self._cache, self._policy.steps
        front, done, key = answers, 1, policy.key
        while (living := front.living()) and done < limit:
            active = steps.computed(living, len(front.order))
            if active < len(front.order):
                alive = front.alive
                into, out = torch.nonzero(~alive[:living])[:, 0], torch.nonzero(alive[living:])[:, 0] + living
                cache.swap(into, out)
                front.swap(into, out)
                front = answers.front(active)
            times = min(steps.WAIT, limit - done)
            cache.reserve(longest + done + times - 1)
            step = partial(policy.reader.step, cache, front, policy.temperature, stops)
            steps.run(step, times, (active, cache.capacity, *key))
            for _ in range(times):
                self._charge(active, 1, active)
            done += times

    def _read_prompts(self, talks: Sequence[OpenConversation]) -> Tensor:
        """Read first prompts, shared beginnings only once; logits (rows, vocabulary) after each."""
        cache, device = self._cache, self._policy.model.device
        trees = pack_prefix_trees([talk.ids for talk in talks], PROMPT_TREE)
        packed = Packed.of(trees, device, self._policy.chat_format.pictures)
        nodes = packed.ids.shape[1]
        cache.reserve(nodes)
        columns = torch.arange(cache.capacity, device=device)
        depths = torch.zeros(len(trees), cache.capacity, dtype=torch.long, device=device)
        depths[:, :nodes] = packed.positions
        hidden = columns > columns[:nodes, None].expand(len(trees), -1, -1)
        if packed.visible is not None:
            hidden[:, :, :nodes] = ~packed.visible

        if packed.shown and self._policy.ledger is not None:
            self._policy.ledger.encoded(self._policy.chat_format.flops(packed.shown))
        rows, paths, ends = (each.to(device) for each in locate(trees))
        reader = self._policy.reader
        logits = reader.read(
            cache,
            packed.inputs,
            columns=columns[:nodes].expand(len(trees), -1),
            mask=reader.mask(hidden, packed.positions, depths[:, None]),
            at=(rows, ends),
        )
        self._charge(len(trees), nodes, len(talks))
        cache.spread(rows, paths)
        return logits

    def _read_on(self, talks: Sequence[OpenConversation], start: Tensor, offset: Tensor) -> Tensor:
        """Read the new tokens of each conversation, padded on the left; logits (rows, vocabulary) after each.

        Args:
            start: (rows,) lengths of the conversations.
            offset: (rows,) what is added to token indices to get rotary positions.
        """
        cache, device = self._cache, start.device
        chunk = max(len(talk.ids) - talk.cached for talk in talks)
        ids = [[0] * (chunk - len(talk.ids) + talk.cached) + talk.ids[talk.cached :] for talk in talks]
        positions = start[:, None] - chunk + torch.arange(chunk, device=device)
        real = positions >= torch.tensor([talk.cached for talk in talks], device=device)[:, None]
        cache.reserve(int(start.max()) + 1)
        # Padding is written to the last column, which nothing attends to yet.
        columns = torch.where(real, positions, cache.capacity - 1)
        self._charge(len(talks), chunk, len(talks))
        return self._policy.reader.append(
            cache, torch.tensor(ids, device=device), torch.where(real, positions, 0), columns, offset
        )

    def _charge(self, rows: int, new_tokens: int, heads: int) -> None:
        """Charge a pass over the cache with logits of `heads` positions. Tokens are counted with the answers."""
        if self._policy.ledger is not None:
            self._policy.ledger.generated(
                rows=rows,
                new_tokens=new_tokens,
                context=self._cache.capacity,
                heads=heads,
                sampled=0,
                adapted=has_adapter(self._policy.model),
            )


def _open(talk: OpenConversation) -> int:
    if talk.slot is None:
        raise ValueError("this conversation was left out of an earlier reply and is closed")
    return talk.slot
