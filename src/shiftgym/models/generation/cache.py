"""The key-value cache of conversations that grow at different paces.

Token p of a conversation always stands in column p of its row. Rows differ in length, but there are no holes: the mask
of a row follows from its positions alone, and a batch is as wide as its longest conversation. Columns beyond a row's
length may hold old values; they are overwritten before any token attends to them.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


@dataclass(slots=True)
class Place:
    """Where all layers write. The layers know it and not their cache, so that a cache is freed with its last user."""

    capacity: int = 0
    """Columns of the stores."""
    slots: Tensor = field(default_factory=lambda: torch.empty(0, 1, dtype=torch.long))
    """(rows, 1) of the next forward pass."""
    columns: Tensor = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.long))
    """(rows, new tokens) that the next forward pass writes to."""


class RaggedCache(Cache):
    """Keys and values of conversations of different lengths, written to the columns that `write_to` names.

    Attention reads every column of the store, hidden ones too: a dense read is two to three times as fast as that of
    a slice, so the store grows in small steps instead of being allocated for the longest answer.
    """

    STEP = 32

    def __init__(self, layers: int) -> None:
        self._place = Place()
        self._ragged = [self._layer(number) for number in range(layers)]
        super().__init__(layers=[*self._ragged])

    def _layer(self, number: int) -> "RaggedLayer":
        return RaggedLayer(self._place)

    def _width(self, columns: int) -> int:
        """Columns of a store that has room for at least so many."""
        return -(-columns // self.STEP) * self.STEP

    @property
    def capacity(self) -> int:
        """Columns of the stores."""
        return self._place.capacity

    def select(self, slots: list[int]) -> None:
        """Keep these rows, in this order."""
        for layer in self._ragged:
            layer.select(slots)

    def spread(self, rows: Tensor, paths: Tensor) -> None:
        """Make new rows: (N,) the row each comes from, (N, width) the column each of its columns is a copy of."""
        self._place.capacity = paths.shape[1]
        for layer in self._ragged:
            layer.spread(rows, paths)

    def swap(self, a: Tensor, b: Tensor) -> None:
        """Exchange the rows `a` (N,) with the rows `b` (N,)."""
        for layer in self._ragged:
            layer.swap(torch.cat([a, b]), torch.cat([b, a]))

    def reserve(self, columns: int) -> None:
        """Make room for at least `columns` columns."""
        self._place.capacity = max(self.capacity, self._width(columns))
        for layer in self._ragged:
            layer.grow()

    def write_to(self, columns: Tensor) -> None:
        """The next forward pass runs on the first rows and writes to `columns` (rows, new tokens)."""
        self._place.slots = torch.arange(columns.shape[0], device=columns.device)[:, None]
        self._place.columns = columns


class RaggedLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """One layer; its keys and values are (rows, heads, capacity, head size)."""

    keys: Tensor
    values: Tensor

    def __init__(self, place: Place) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._place = place

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Begin with stores for states like these, (rows, heads, new tokens, head size)."""
        self.keys, self.values = self._grown(key_states[:, :, :0]), self._grown(value_states[:, :, :0])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write states (rows, heads, new tokens, head size); returns the store (rows, heads, capacity, head size)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        return self._write(self.keys, key_states), self._write(self.values, value_states)

    def _write(self, store: Tensor, states: Tensor) -> Tensor:
        """Write states (rows, heads, new tokens, head size) to the columns they belong to; the store's first rows
        (rows, heads, capacity, head size)."""
        store[self._place.slots, :, self._place.columns] = states.transpose(1, 2)
        return store[: len(states)]

    def _grown(self, store: Tensor) -> Tensor:
        """The store (rows, heads, columns, head size), filled up with zeros to the capacity. They are zeros, since a
        hidden column still enters attention with weight 0, and 0 times garbage may be NaN."""
        missing = self._place.capacity - store.shape[2]
        return torch.cat([store, store.new_zeros(*store.shape[:2], missing, store.shape[3])], dim=2)

    def grow(self) -> None:
        """Fill the stores up to the capacity."""
        if self.is_initialized and self.keys.shape[2] < self._place.capacity:
            self.keys, self.values = self._grown(self.keys), self._grown(self.values)

    def select(self, slots: list[int]) -> None:
        if self.is_initialized:
            self.keys, self.values = self.keys[slots], self.values[slots]

    def spread(self, rows: Tensor, paths: Tensor) -> None:
        """As `RaggedCache.spread`: rows (N,), paths (N, width)."""
        self.keys, self.values = (
            store[rows[:, None], :, paths].transpose(1, 2).contiguous() for store in (self.keys, self.values)
        )

    def swap(self, into: Tensor, out: Tensor) -> None:
        """Put the rows `out` (N,) where the rows `into` (N,) are."""
        for store in (self.keys, self.values):
            store[into] = store[out]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._place.capacity, 0

    def get_seq_length(self) -> int:
        return self._place.capacity

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        """What older versions of transformers, 5.10 among them, call `get_max_length`."""
        return self.get_max_length()
