"""The transformers model as a policy: batched answers by sampling, one key-value cache across all attempts.

Token p of a conversation always stands in column p of its row of the cache. Rows differ in length, but there are no
holes: what a row attends to follows from its positions alone, and a batch is as wide as its longest conversation.
Columns beyond a row's length may hold leftovers; they are written anew before anything attends to them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from shiftgym import seeds
from shiftgym.errors import ConfigError
from shiftgym.messages import Messages
from shiftgym.models.chat import ChatFormat
from shiftgym.policies.base import Answer, Transcript
from shiftgym.tasks.base import Decision


class Ledger(Protocol):
    """What counts the compute of generation."""

    def generated(self, *, rows: int, new_tokens: int, context: int, sampled: int) -> None:
        """One forward pass over rows x new_tokens tokens (padding included) that attend to `context` columns each.

        The language-model head ran on one token a row; `sampled` answer tokens came of it.
        """
        ...


class ModelPolicy:
    """A causal language model that answers by sampling from softmax(logits / temperature), whole and in float32.

    Args:
        temperature: 0 is greedy. Recorded log-probabilities are those of the sampling distribution; for greedy
            answers those at temperature 1.
        seed: with the stream's names it fixes every sample. The noise of a token depends on its row, attempt and
            position alone, never on which other rows are still answering.

    Raises:
        ConfigError: the model mixes in layers that are not attention, which this cache cannot hold.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        form: ChatFormat,
        *,
        temperature: float,
        max_new_tokens: int,
        seed: int,
        ledger: Ledger | None = None,
    ) -> None:
        config = model.config.get_text_config(decoder=True)
        self.layers: int = config.num_hidden_layers
        self.layer_types = set(getattr(config, "layer_types", None) or ["full_attention"])
        self.window: int | None = getattr(config, "sliding_window", None)
        if unknown := self.layer_types - {"full_attention", "sliding_attention"}:
            raise ConfigError(f"{', '.join(sorted(unknown))} layers cannot be sampled; use a model of attention layers")
        self.model, self.form, self.ledger = model, form, ledger
        self.temperature, self.max_new_tokens, self.seed = temperature, max_new_tokens, seed

    def start(self, decisions: Sequence[Decision], stream: Sequence[str | int]) -> "ModelChat":
        return ModelChat(self, decisions, stream)


@dataclass(slots=True)
class _Conversation:
    prompt: Messages
    slot: int | None
    """Its row in the cache; None once it was left out of a reply."""
    cached: int = 0
    """How many of `ids` have keys and values. The last sampled token never has: it is read with what follows it."""
    ids: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    logprobs: list[list[float]] = field(default_factory=list)


class ModelChat:
    """Conversations in flight. One that is left out of a reply is closed and cannot be taken up again."""

    def __init__(self, policy: ModelPolicy, decisions: Sequence[Decision], stream: Sequence[str | int]) -> None:
        self._policy = policy
        self._stream = stream
        self._attempts = 0
        self._conversations = [_Conversation(decision.prompt, slot) for slot, decision in enumerate(decisions)]
        self._cache = RaggedCache(policy.layers)

    def reply(self, rows: Sequence[int], messages: Sequence[Messages]) -> list[Answer]:
        form = self._policy.form
        talks = [self._conversations[row] for row in rows]
        for talk, new in zip(talks, messages, strict=True):
            if not talk.spans:
                talk.ids += form.prompt([*talk.prompt, *new])
            else:
                ended = talk.ids[-1] in form.end_ids
                talk.ids += form.reply(new)[1 if ended else 0 :]
        with _decoding(self._policy.model):
            tokens, logprobs = self._generate(rows, talks)
        answers = []
        for talk, ids, logs in zip(talks, tokens, logprobs, strict=True):
            start = len(talk.ids)
            talk.ids += ids
            talk.cached = len(talk.ids) - 1
            talk.spans.append((start, len(talk.ids)))
            talk.logprobs.append(logs)
            ended = ids[-1] in form.end_ids
            answers.append(Answer(form.text(ids[:-1] if ended else ids), len(ids), "end" if ended else "length"))
        return answers

    def transcripts(self) -> list[Transcript]:
        return [Transcript(talk.ids, talk.spans, talk.logprobs) for talk in self._conversations]

    @torch.inference_mode()
    def _generate(
        self, rows: Sequence[int], talks: Sequence[_Conversation]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Read what is new of each conversation and sample an answer; tokens and log-probabilities of each."""
        policy, cache, count, limit = self._policy, self._cache, len(talks), self._policy.max_new_tokens
        device = policy.model.device
        starts = [len(talk.ids) for talk in talks]
        cache.select([_open(talk) for talk in talks])
        for talk in self._conversations:
            talk.slot = None
        noise = self._noise()[torch.tensor(rows)].to(device)
        stops = torch.tensor(sorted(policy.form.end_ids), device=device)
        tokens = torch.zeros(count, limit, dtype=torch.long, device=device)
        logprobs = torch.zeros(count, limit, device=device)

        # New text, padded on the left so that every row's next token comes from the last column.
        chunk = max(start - talk.cached for start, talk in zip(starts, talks, strict=True))
        ids = [[0] * (chunk - len(talk.ids) + talk.cached) + talk.ids[talk.cached :] for talk in talks]
        start = torch.tensor(starts, device=device)
        positions = start[:, None] - chunk + torch.arange(chunk, device=device)
        real = positions >= torch.tensor([talk.cached for talk in talks], device=device)[:, None]
        cache.reserve(max(starts) + 1)
        logits = self._forward(
            torch.tensor(ids, device=device),
            torch.where(real, positions, 0),
            # Padding is written to the last column, which nothing attends to as yet.
            columns=torch.where(real, positions, cache.capacity - 1),
            sampled=count,
        )

        # `order` maps slots to rows of `talks`. The first `active` slots are computed; of those, `alive` still write.
        order, active = torch.arange(count, device=device), count
        alive = torch.ones(count, dtype=torch.bool, device=device)
        for step in range(limit):
            front = order[:active]
            token, logprob = _sample(logits, policy.temperature, noise[front, step])
            tokens[front, step], logprobs[front, step] = token, logprob
            alive &= ~torch.isin(token, stops)
            living = int(alive.sum())
            if living == 0 or step + 1 == limit:
                break
            if living < active * 3 // 4:
                into, out = torch.nonzero(~alive[:living])[:, 0], torch.nonzero(alive[living:])[:, 0] + living
                cache.swap(into, out)
                order[into], order[out] = order[out], order[into]
                token[into] = token[out]
                active, token, alive = living, token[:living], torch.ones_like(alive[:living])
            positions = (start[order[:active]] + step)[:, None]
            cache.reserve(max(starts) + step + 1)
            logits = self._forward(token[:, None], positions, columns=positions, sampled=living)

        for slot, row in enumerate(order.tolist()):
            talks[row].slot = slot
        ended = torch.isin(tokens, stops)
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, limit).tolist()
        return (
            [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)],
            [row[:length] for row, length in zip(logprobs.tolist(), lengths, strict=True)],
        )

    def _noise(self) -> Tensor:
        """Uniform noise of this attempt, (conversations of the chat, max_new_tokens); the same on every device."""
        generator = torch.Generator().manual_seed(seeds.derive(self._policy.seed, *self._stream, self._attempts))
        self._attempts += 1
        return torch.rand(len(self._conversations), self._policy.max_new_tokens, generator=generator)

    def _forward(self, ids: Tensor, positions: Tensor, *, columns: Tensor, sampled: int) -> Tensor:
        """Logits (rows, vocabulary) after the last of `ids` (rows, new tokens), in float32."""
        policy, width = self._policy, self._cache.capacity
        self._cache.place(columns)
        logits = policy.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=self._mask(positions, width),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if policy.ledger is not None:
            policy.ledger.generated(rows=ids.shape[0], new_tokens=ids.shape[1], context=width, sampled=sampled)
        return logits.float()  # type: ignore[no-any-return]

    def _mask(self, positions: Tensor, width: int) -> Tensor | dict[str, Tensor]:
        """What each position attends to, added to attention scores: (rows, 1, new tokens, width), by kind of layer."""
        dtype, window = self._policy.model.dtype, self._policy.window
        columns = torch.arange(width, device=positions.device)
        hidden = columns > positions[:, None, :, None]
        full = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, torch.finfo(dtype).min)
        if window is None:
            return full
        sliding = full.masked_fill(columns <= positions[:, None, :, None] - window, torch.finfo(dtype).min)
        if "sliding_attention" in self._policy.layer_types:
            return {"full_attention": full, "sliding_attention": sliding}
        return sliding


def _open(talk: _Conversation) -> int:
    if talk.slot is None:
        raise ValueError("this conversation was left out of an earlier reply and is closed")
    return talk.slot


def _sample(logits: Tensor, temperature: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (rows,) from softmax(logits / temperature) by inverse distribution function, with log-probabilities."""
    scores = logits / temperature if temperature > 0 else logits
    scores = scores - scores.amax(-1, keepdim=True)
    cumulative = scores.exp().cumsum(-1)
    total = cumulative[:, -1:]
    if temperature > 0:
        token = torch.searchsorted(cumulative, noise[:, None] * total, right=True)
    else:
        token = scores.argmax(-1, keepdim=True)
    return token[:, 0], (scores.gather(1, token) - total.log())[:, 0]


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """torch's attention, but for one new token a row on a CPU two batched products, which are up to twice as fast."""
    rows, heads, new, size = query.shape
    if new > 1 or query.device.type != "cpu":
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    groups, width = key.shape[1:3]
    hidden = attention_mask.expand(rows, groups, 1, width).reshape(-1, 1, width)
    scores = torch.baddbmm(
        hidden, query.reshape(-1, heads // groups, size), key.flatten(0, 1).transpose(1, 2), alpha=scaling
    )
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(value.dtype)
    return torch.bmm(weights, value.flatten(0, 1)).view(rows, 1, heads, -1), None


AttentionInterface.register("shiftgym", _attend)


@contextmanager
def _decoding(model: PreTrainedModel) -> Iterator[None]:
    """Within: no dropout, and `_attend` for models on torch's attention. The model is left as it was."""
    config, training = model.config.get_text_config(decoder=True), model.training
    attention = config._attn_implementation
    model.eval()
    if attention == "sdpa":
        config._attn_implementation = "shiftgym"
    try:
        yield
    finally:
        config._attn_implementation = attention
        model.train(training)


class RaggedCache(Cache):
    """Keys and values of conversations of different lengths, written wherever `place` says.

    Attention reads every column of the store, hidden ones too: a dense read is two to three times as fast as that of
    a slice, so the store grows in small steps instead of being allocated for the longest answer.
    """

    STEP = 16

    def __init__(self, layers: int) -> None:
        super().__init__(layers=[_RaggedLayer(self) for _ in range(layers)])
        self.capacity = 0

    def select(self, slots: list[int]) -> None:
        """Keep these rows, in this order."""
        for layer in self.layers:
            layer.select(slots)

    def swap(self, a: Tensor, b: Tensor) -> None:
        """Exchange the rows `a` with the rows `b`."""
        for layer in self.layers:
            layer.swap(torch.cat([a, b]), torch.cat([b, a]))

    def reserve(self, columns: int) -> None:
        """Have room for at least so many columns."""
        self.capacity = max(self.capacity, -(-columns // self.STEP) * self.STEP)

    def place(self, columns: Tensor) -> None:
        """The next forward pass runs on the first rows and writes to `columns` (rows, new tokens)."""
        self.slots, self.columns = torch.arange(columns.shape[0], device=columns.device)[:, None], columns


class _RaggedLayer(CacheLayerMixin):
    """One layer; keys and values are (rows, heads, capacity, head size)."""

    def __init__(self, cache: RaggedCache) -> None:
        super().__init__()
        self.cache = cache

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys, self.values = self._grown(self.keys), self._grown(self.values)
        return self._write(self.keys, key_states), self._write(self.values, value_states)

    def _grown(self, store: Tensor) -> Tensor:
        """With zeros, since a hidden column still enters attention with weight 0, and 0 times garbage may be NaN."""
        missing = self.cache.capacity - store.shape[2]
        return torch.nn.functional.pad(store, (0, 0, 0, missing)) if missing else store

    def _write(self, store: Tensor, states: Tensor) -> Tensor:
        store[self.cache.slots, :, self.cache.columns] = states.transpose(1, 2)
        return store[: len(states)]

    def select(self, slots: list[int]) -> None:
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[slots], self.values[slots]

    def swap(self, into: Tensor, out: Tensor) -> None:
        for store in (self.keys, self.values):
            assert store is not None
            store[into] = store[out]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cache.capacity, 0

    def get_seq_length(self) -> int:
        return self.cache.capacity

    def get_max_length(self) -> int:
        return -1
