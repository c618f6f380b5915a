"""The transformers model as a policy: batched answers by sampling, one key-value cache across all attempts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym import seeds
from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.messages import Messages
from shiftgym.models.cache import RaggedCache, decoding
from shiftgym.models.chat import ChatFormat
from shiftgym.models.ledger import Ledger
from shiftgym.models.positions import position_limit, tell_limit
from shiftgym.models.prefixes import Packed, decoder_config, locate, pack_prefix_trees
from shiftgym.models.score import logits
from shiftgym.policies.base import Answer, Transcript
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision

PROMPT_TREE = 1024
"""Most tokens in a row that several prompts share."""

NOT_FINITE = (
    "a logit is not finite, so there is nothing to sample from; the weights of this model are damaged, or its number "
    "format overflows"
)


class ModelPolicy:
    """A causal language model that answers by sampling from softmax(logits / temperature), whole and in float32.

    Args:
        temperature: 0 is greedy. Recorded log-probabilities are those of the sampling distribution; for greedy
            answers those at temperature 1.
        seed: with the names of a decision it fixes every sample. The noise of a token depends on those names, its
            attempt and its position alone, never on its row or on other answers of the batch.

    Raises:
        ConfigError: the model has layers other than attention, which this cache does not support.
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
        config = decoder_config(model)
        self.layers: int = config.num_hidden_layers
        self.layer_types = set(getattr(config, "layer_types", None) or ["full_attention"])
        self.window: int | None = getattr(config, "sliding_window", None)
        if unknown := self.layer_types - {"full_attention", "sliding_attention"}:
            raise ConfigError(f"{', '.join(sorted(unknown))} layers cannot be sampled; use a model of attention layers")
        self.model, self.chat_format, self.ledger = model, chat_format, ledger
        self.positions = position_limit(model)
        self.rotary = chat_format.pictures is not None and chat_format.pictures.rotary
        self.temperature, self.max_new_tokens, self.seed = temperature, max_new_tokens, seed

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> "ModelChat":
        return ModelChat(self, decisions, noise)


@dataclass(slots=True)
class _Conversation:
    prompt: Messages
    slot: int | None
    """Its row in the cache; None once it was left out of a reply."""
    position_offset: int = 0
    """Offset added to token indices to get rotary positions after the prompt (non-zero only for models with 3-D image
    positions)."""
    cached: int = 0
    """How many of `ids` have keys and values. The last sampled token never has: it is read with the tokens after it."""
    ids: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    logprobs: list[list[float]] = field(default_factory=list)


class ModelChat:
    """Conversations in flight. One that is left out of a reply is closed and cannot be taken up again."""

    def __init__(self, policy: ModelPolicy, decisions: Sequence[Decision], noise: Sequence[Names]) -> None:
        self._policy = policy
        self._names = noise
        self._attempts = 0
        self._conversations = [_Conversation(decision.prompt, slot) for slot, decision in enumerate(decisions)]
        self._cache = RaggedCache(policy.layers)

    def reply(self, rows: Sequence[int], messages: Sequence[Messages]) -> list[Answer]:
        talks = [self._conversations[row] for row in rows]
        fitting = [row for row, new in zip(rows, messages, strict=True) if self._extend(self._conversations[row], new)]
        written: dict[int, tuple[list[int], list[float]]] = {}
        if fitting:
            with decoding(self._policy.model):
                generated = self._generate(fitting, [self._conversations[row] for row in fitting])
            written = dict(zip(fitting, zip(*generated, strict=True), strict=True))
        return [self._answer(talk, *written.get(row, ([], []))) for row, talk in zip(rows, talks, strict=True)]

    def _extend(self, talk: _Conversation, new: Messages) -> bool:
        """Add messages to a conversation, unless no answer to them would fit the model; whether one does."""
        policy, chat_format = self._policy, self._policy.chat_format
        added = chat_format.prompt([*talk.prompt, *new]) if not talk.spans else chat_format.reply(new, talk.ids[-1])
        if len(talk.ids) + len(added) >= policy.positions:
            tell_limit(policy.model.name_or_path or policy.model.config.model_type, policy.positions)
            # The first token stands for a prompt that does not fit, so that the value of the attempt can be read.
            talk.ids += [] if talk.spans else added[:1]
            return False
        talk.ids += added
        if not talk.spans and chat_format.pictures is not None and policy.rotary:
            talk.position_offset = int(chat_format.pictures.positions(talk.ids)[0, -1]) + 1 - len(talk.ids)
        return True

    def _answer(self, talk: _Conversation, ids: list[int], logprobs: list[float]) -> Answer:
        """Add the tokens of an answer to its conversation; none stand for one that was too long."""
        chat_format, start = self._policy.chat_format, len(talk.ids)
        talk.ids += ids
        talk.cached = len(talk.ids) - 1
        talk.spans.append((start, len(talk.ids)))
        talk.logprobs.append(logprobs)
        if not ids:
            return Answer("", 0, "too_long")
        ended = ids[-1] in chat_format.end_ids
        text = chat_format.opening + chat_format.text(ids[:-1] if ended else ids)
        return Answer(text, len(ids), "end" if ended else "length")

    def transcripts(self) -> list[Transcript]:
        return [Transcript(talk.ids, talk.spans, talk.logprobs) for talk in self._conversations]

    @torch.inference_mode()
    def _generate(
        self, rows: Sequence[int], talks: Sequence[_Conversation]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Read the new tokens of each conversation and sample an answer; tokens and log-probabilities of each."""
        policy, cache, count = self._policy, self._cache, len(talks)
        device = policy.model.device
        starts = [len(talk.ids) for talk in talks]
        rooms = [min(policy.max_new_tokens, policy.positions - start) for start in starts]
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
            token, logprob = _sample(scores, policy.temperature, noise[front, step])
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

    def _read_prompts(self, talks: Sequence[_Conversation]) -> Tensor:
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
            self._policy.ledger.encoded(self._policy.chat_format.flops(packed.shown), learned=False)
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

    def _read_on(self, talks: Sequence[_Conversation], start: Tensor, offset: Tensor) -> Tensor:
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
                rows=len(ids), new_tokens=ids.shape[1], context=cache.capacity, heads=len(read[0]), sampled=sampled
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


def _open(talk: _Conversation) -> int:
    if talk.slot is None:
        raise ValueError("this conversation was left out of an earlier reply and is closed")
    return talk.slot


def _sample(logits: Tensor, temperature: float, noise: Tensor) -> tuple[Tensor, Tensor]:
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
