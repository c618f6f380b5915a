"""Stores of keys and values that stay where they are in memory, for decode steps that a device replays.

Sizes are rounded up, so that few different ones occur. How many rows and columns a store has is part of what is
replayed, but nothing of what is computed for a row depends on it.
"""

from math import prod

from torch import Tensor

from shiftgym.models.generation.cache import Place, RaggedCache, RaggedLayer


def bucket_rows(count: int) -> int:
    """Rows that are computed for `count` rows: 8, 16, 24, 32, 48, 64, 96, 128 and so on. Up to a few hundred rows a
    step reads the weights most of the time, so rows that are not needed cost little."""
    return _bucket(count, least=8, parts=2)


def bucket_columns(count: int) -> int:
    """Columns of a store for `count` tokens: multiples of 64, from 512 on four to each doubling."""
    return _bucket(count, least=64, parts=4)


def _bucket(count: int, *, least: int, parts: int) -> int:
    """The smallest size that holds `count`, of those that divide each doubling into parts no smaller than `least`."""
    below = 1 << (max(count - 1, 1).bit_length() - 1)
    step = max(least, below // parts)
    return -(-count // step) * step


class Buffers:
    """Memory that stores are laid out in, one buffer for the keys and one for the values of each layer."""

    moves = 0
    """How often a buffer was replaced by a larger one, or freed."""

    def __init__(self) -> None:
        self._flat: dict[tuple[int, str], Tensor] = {}

    def clear(self) -> None:
        """Free the memory."""
        self._flat, self.moves = {}, self.moves + 1

    @property
    def bytes(self) -> int:
        return sum(flat.nbytes for flat in self._flat.values())

    def laid(self, key: tuple[int, str], store: Tensor, columns: int) -> Tensor:
        """The same keys or values in the buffer of this name, filled up with zeros.

        Args:
            store: (rows, heads, width, head size), not in that buffer.

        Returns:
            (rows rounded up, heads, columns, head size).
        """
        rows, heads, width, size = store.shape
        shape = (bucket_rows(rows), heads, columns, size)
        if key not in self._flat or self._flat[key].numel() < prod(shape):
            self._flat.pop(key, None)
            self._flat[key] = store.new_empty(prod(shape))
            self.moves += 1
        held = self._flat[key][: prod(shape)].view(shape)
        held.zero_()
        held[:rows, :, :width] = store
        return held


class FixedCache(RaggedCache):
    """A ragged cache whose stores lie in buffers once the prompts are read. Its last rows may be padding."""

    def __init__(self, layers: int, buffers: Buffers) -> None:
        self._buffers = buffers
        super().__init__(layers)

    def _layer(self, number: int) -> "_FixedLayer":
        return _FixedLayer(self._place, self._buffers, number)

    def _width(self, columns: int) -> int:
        return bucket_columns(columns)

    def spread(self, rows: Tensor, paths: Tensor) -> None:
        """Make new rows, into the buffers; rows (N,), paths (N, width) as for any ragged cache."""
        self._place.capacity = bucket_columns(paths.shape[1])
        for layer in self._ragged:
            layer.spread(rows, paths)

    def leave(self) -> None:
        """Move out of the buffers, which others want."""
        for layer in self._ragged:
            if layer.is_initialized:
                layer.keys, layer.values = layer.keys.clone(), layer.values.clone()


class _FixedLayer(RaggedLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """One layer; its keys and values are (rows, heads, capacity, head size)."""

    def __init__(self, place: Place, buffers: Buffers, number: int) -> None:
        super().__init__(place)
        self._buffers, self._number = buffers, number

    def select(self, slots: list[int]) -> None:
        super().select(slots)
        if self.is_initialized:
            self._lay()

    def spread(self, rows: Tensor, paths: Tensor) -> None:
        """As `RaggedCache.spread`: rows (N,), paths (N, width)."""
        super().spread(rows, paths)
        self._lay()

    def grow(self) -> None:
        if self.is_initialized and self.keys.shape[2] < self._place.capacity:
            super().grow()
            self._lay()

    def _lay(self) -> None:
        """Move stores of their own into the buffers."""
        columns = self._place.capacity
        self.keys = self._buffers.laid((self._number, "keys"), self.keys, columns)
        self.values = self._buffers.laid((self._number, "values"), self.values, columns)
