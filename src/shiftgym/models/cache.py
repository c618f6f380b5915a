"""The key-value cache of conversations that grow at different paces, and the attention that reads it.

Token p of a conversation always stands in column p of its row. Rows differ in length, but there are no holes: the mask
of a row follows from its positions alone, and a batch is as wide as its longest conversation. Columns beyond a row's
length may hold old values; they are overwritten before any token attends to them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from shiftgym.models.prefixes import decoder_config


class RaggedCache(Cache):
    """Keys and values of conversations of different lengths, written to the columns that `write_to` names.

    Attention reads every column of the store, hidden ones too: a dense read is two to three times as fast as that of
    a slice, so the store grows in small steps instead of being allocated for the longest answer.
    """

    STEP = 32

    def __init__(self, layers: int) -> None:
        self._ragged = [_RaggedLayer(self) for _ in range(layers)]
        super().__init__(layers=[*self._ragged])
        self.capacity = 0

    def select(self, slots: list[int]) -> None:
        """Keep these rows, in this order."""
        for layer in self._ragged:
            layer.select(slots)

    def spread(self, rows: Tensor, paths: Tensor) -> None:
        """Make new rows: (N,) the row each comes from, (N, width) the column each of its columns is a copy of."""
        for layer in self._ragged:
            layer.spread(rows, paths)
        self.capacity = paths.shape[1]

    def swap(self, a: Tensor, b: Tensor) -> None:
        """Exchange the rows `a` (N,) with the rows `b` (N,)."""
        for layer in self._ragged:
            layer.swap(torch.cat([a, b]), torch.cat([b, a]))

    def reserve(self, columns: int) -> None:
        """Make room for at least `columns` columns."""
        self.capacity = max(self.capacity, -(-columns // self.STEP) * self.STEP)

    def write_to(self, columns: Tensor) -> None:
        """The next forward pass runs on the first rows and writes to `columns` (rows, new tokens)."""
        self.slots, self.columns = torch.arange(columns.shape[0], device=columns.device)[:, None], columns


class _RaggedLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """One layer; its keys and values are (rows, heads, capacity, head size)."""

    def __init__(self, cache: RaggedCache) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cache = cache

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Begin with stores of no columns, like these states (rows, heads, new tokens, head size)."""
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write states (rows, heads, new tokens, head size); returns the store (rows, heads, capacity, head size)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys, self.values = self._grown(self.keys), self._grown(self.values)
        return self._write(self.keys, key_states), self._write(self.values, value_states)

    def _grown(self, store: Tensor) -> Tensor:
        """The store (rows, heads, columns, head size), filled up with zeros to the capacity. They are zeros, since a
        hidden column still enters attention with weight 0, and 0 times garbage may be NaN."""
        missing = self.cache.capacity - store.shape[2]
        if not missing:
            return store
        return torch.cat([store, store.new_zeros(*store.shape[:2], missing, store.shape[3])], dim=2)

    def _write(self, store: Tensor, states: Tensor) -> Tensor:
        """Write states (rows, heads, new tokens, head size) to the columns they belong to; the store's first rows
        (rows, heads, capacity, head size)."""
        store[self.cache.slots, :, self.cache.columns] = states.transpose(1, 2)
        return store[: len(states)]

    def select(self, slots: list[int]) -> None:
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[slots], self.values[slots]

    def spread(self, rows: Tensor, paths: Tensor) -> None:
        """As `RaggedCache.spread`: rows (N,), paths (N, width)."""
        assert self.keys is not None
        assert self.values is not None
        self.keys, self.values = (
            store[rows[:, None], :, paths].transpose(1, 2).contiguous() for store in (self.keys, self.values)
        )

    def swap(self, into: Tensor, out: Tensor) -> None:
        """Put the rows `out` (N,) where the rows `into` (N,) are."""
        for store in (self.keys, self.values):
            assert store is not None
            store[into] = store[out]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cache.capacity, 0

    def get_seq_length(self) -> int:
        return self.cache.capacity

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        """What older versions of transformers, 5.10 among them, call `get_max_length`."""
        return self.get_max_length()


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """torch's attention, but for one new token a row on a CPU two batched products, which are up to twice as fast.

    Args:
        query: (rows, heads, new tokens, size).
        key, value: (rows, groups, width, size).
        attention_mask: (rows or 1, 1, new tokens, width), added to the scores.

    Returns:
        (rows, new tokens, heads, size), and no weights.
    """
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
def decoding(model: PreTrainedModel) -> Iterator[None]:
    """Within: no dropout, and `_attend` for models on torch's attention. The model is left as it was."""
    config, training = decoder_config(model), model.training
    attention = config._attn_implementation
    model.train(False)
    if attention == "sdpa":
        config._attn_implementation = "shiftgym"
    try:
        yield
    finally:
        config._attn_implementation = attention
        model.train(training)
