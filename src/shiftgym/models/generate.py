"""The transformers model as a policy: batched answers by sampling, one key-value cache across all attempts."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from shiftgym.errors import TrainingStopped
from shiftgym.messages import Messages
from shiftgym.models.cache import RaggedCache, decoding
from shiftgym.models.lora import has_adapter
from shiftgym.models.prefixes import Packed, decoder_config, layer_kinds, locate, pack_prefix_trees, sliding_window
from shiftgym.models.score import logits
from shiftgym.models.token_chat import OpenConversation, TokenChat, TokenPolicy
from shiftgym.policies.base import Answer
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision

PROMPT_TREE = 1024
"""Most tokens in a row that several prompts share."""

NOT_FINITE = (
    "a logit is not finite, so there is nothing to sample from; the weights of this model are damaged, or its number "
    "format overflows"
)


class ModelPolicy(TokenPolicy):
    """A model of attention layers that reads each token once: one key-value cache holds all attempts.

    See `TokenPolicy` for its arguments.
    """

    @cached_property
    def layers(self) -> int:
        return int(decoder_config(self.model).num_hidden_layers)

    @cached_property
    def layer_types(self) -> set[str]:
        return set(layer_kinds(self.model))

    @cached_property
    def window(self) -> int | None:
        return sliding_window(self.model)

    @cached_property
    def rotary(self) -> bool:
        """Whether the model wants positions in time, height and width."""
        return self.chat_format.pictures is not None and self.chat_format.pictures.rotary

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> "ModelChat":
        return ModelChat(self, [decision.prompt for decision in decisions], noise)


class ModelChat(TokenChat):
    """Conversations in flight. One that is left out of a reply is closed and cannot be taken up again."""

    def __init__(self, policy: ModelPolicy, prompts: Sequence[Messages], noise: Sequence[Names]) -> None:
        super().__init__(policy, prompts, noise)
        self._policy = policy
        self._cache = RaggedCache(policy.layers)

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
        policy, cache, count = self._policy, self._cache, len(talks)
        device = policy.model.device
        starts = [len(talk.ids) for talk in talks]
        rooms = self._rooms(talks)
        limit = max(rooms)
        cache.select([_open(talk) for talk in talks])
        for talk in self._conversations:
            talk.slot = None
        noise = self._noise(rows).to(device)
        stops = torch.tensor(sorted(policy.chat_format.end_ids), device=device)
        tokens = torch.zeros(count, limit, dtype=torch.long, device=device)
        logprobs = torch.zeros(count, limit, device=device)

        start, room = torch.tensor(starts, device=device), torch.tensor(rooms, device=device)
        offset = torch.tensor([talk.position_offset for talk in talks], device=device)
        scores = self._read_on(talks, start, offset) if self._attempts > 1 else self._read_prompts(talks)

        # `order` maps slots to rows of `talks`. The first `active` slots are computed; of those, `alive` still write.
        order, active = torch.arange(count, device=device), count
        alive = torch.ones(count, dtype=torch.bool, device=device)
        for step in range(limit):
            front = order[:active]
            token, logprob = sample(scores, policy.temperature, noise[front, step])
            tokens[front, step], logprobs[front, step] = token, logprob
            alive &= ~torch.isin(token, stops) & (step + 1 < room[front])
            living = int(alive.sum())
            if living == 0 or step + 1 == limit:
                break
            if living < active * 15 // 16:
                into, out = torch.nonzero(~alive[:living])[:, 0], torch.nonzero(alive[living:])[:, 0] + living
                cache.swap(into, out)
                order[into], order[out] = order[out], order[into]
                token[into] = token[out]
                active, token, alive = living, token[:living], torch.ones_like(alive[:living])
            # A row that no longer writes is computed on for a while, but never beyond the last position.
            positions = (start[order[:active]] + step).clamp(max=policy.positions - 1)[:, None]
            cache.reserve(max(starts) + step + 1)
            scores = self._step(token[:, None], positions, positions, offset[order[:active]], sampled=living)

        for slot, row in enumerate(order.tolist()):
            talks[row].slot = slot
        ended = torch.isin(tokens, stops)
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, room).minimum(room).tolist()
        return (
            [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)],
            [row[:length] for row, length in zip(logprobs.tolist(), lengths, strict=True)],
        )

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
        scores = self._forward(
            packed.inputs,
            columns=columns[:nodes].expand(len(trees), -1),
            mask=self._mask(hidden, packed.positions, depths[:, None]),
            read=(rows, ends),
            sampled=len(talks),
        )
        cache.spread(rows, paths)
        return scores

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
        return self._step(torch.tensor(ids, device=device), torch.where(real, positions, 0), columns, offset)

    def _step(
        self, ids: Tensor, positions: Tensor, columns: Tensor, offset: Tensor, sampled: int | None = None
    ) -> Tensor:
        """Append tokens to conversations; logits (rows, vocabulary) after the last of them.

        Args:
            ids: (rows, new tokens).
            positions: (rows, new tokens) of these tokens in their conversation.
            columns: (rows, new tokens) of the cache that they are written to.
            offset: (rows,) what is added to token indices to get rotary positions.
            sampled: answer tokens that come of it, for the ledger; by default one a row.
        """
        kept = torch.arange(self._cache.capacity, device=ids.device)
        rows = torch.arange(len(ids), device=ids.device)
        rotary = positions + offset[:, None]
        if self._policy.rotary:
            rotary = rotary.expand(3, -1, -1)
        return self._forward(
            {"input_ids": ids, "position_ids": rotary},
            columns=columns,
            mask=self._mask(kept > positions[:, :, None], positions, kept),
            read=(rows, rows.new_full(rows.shape, ids.shape[1] - 1)),
            sampled=len(ids) if sampled is None else sampled,
        )

    def _forward(
        self,
        inputs: dict[str, Tensor],
        *,
        columns: Tensor,
        mask: Tensor | dict[str, Tensor],
        read: tuple[Tensor, Tensor],
        sampled: int,
    ) -> Tensor:
        """Run the model; float32 logits (N, vocabulary) after the tokens that are read.

        Args:
            inputs: `input_ids` (rows, new tokens) and what else the model takes.
            columns: (rows, new tokens) of the cache that keys and values are written to.
            mask: as `_mask` gives it, (rows, 1, new tokens, width).
            read: rows (N,) and columns (N,) among the new tokens.
            sampled: answer tokens that come of it, for the ledger.
        """
        policy, cache, ids = self._policy, self._cache, inputs["input_ids"]
        cache.write_to(columns)
        states = policy.model.base_model(
            **inputs, attention_mask=mask, past_key_values=cache, use_cache=True
        ).last_hidden_state
        if policy.ledger is not None:
            policy.ledger.generated(
                rows=len(ids),
                new_tokens=ids.shape[1],
                context=cache.capacity,
                heads=len(read[0]),
                sampled=sampled,
                adapted=has_adapter(policy.model),
            )
        return logits(policy.model, states[read])

    def _mask(self, hidden: Tensor, positions: Tensor, kept: Tensor) -> Tensor | dict[str, Tensor]:
        """What is added to attention scores, (rows, 1, new tokens, width), by kind of layer if there are several.

        Args:
            hidden: (rows, new tokens, width), true where nothing may be attended to.
            positions: (rows, new tokens) of the new tokens.
            kept: position of what stands in each column, to be broadcast to the shape of `hidden`.
        """
        dtype, window = self._policy.model.dtype, self._policy.window
        least = torch.finfo(dtype).min
        full = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, least)[:, None]
        if window is None:
            return full
        sliding = full.masked_fill((kept <= positions[:, :, None] - window)[:, None], least)
        if "sliding_attention" in self._policy.layer_types:
            return {"full_attention": full, "sliding_attention": sliding}
        return sliding


def _open(talk: OpenConversation) -> int:
    if talk.slot is None:
        raise ValueError("this conversation was left out of an earlier reply and is closed")
    return talk.slot


def sample(logits: Tensor, temperature: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (rows,) from softmax(logits / temperature) by inverse distribution function; log-probabilities (rows,).

    Args:
        logits: (rows, vocabulary).
        noise: (rows,) uniform in [0, 1).

    Raises:
        TrainingStopped: a logit is NaN or infinite; some may be minus infinity.
    """
    scores = logits / (temperature or 1.0)
    largest = scores.amax(-1, keepdim=True)
    if not largest.isfinite().all():
        raise TrainingStopped(NOT_FINITE)
    # In place, since each copy of a large vocabulary is large.
    scores -= largest
    cumulative = scores.exp()
    cumulative.cumsum_(-1)
    total = cumulative[:, -1:]
    if temperature > 0:
        token = torch.searchsorted(cumulative, noise[:, None] * total, right=True)
    else:
        token = scores.argmax(-1, keepdim=True)
    return token[:, 0], (scores.gather(1, token) - total.log())[:, 0]
