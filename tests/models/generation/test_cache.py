"""The key-value cache of conversations that grow at different paces."""

from typing import Any

import torch

from shiftgym.models.generation.cache import RaggedCache


def written(cache: RaggedCache, columns: list[list[int]], value: float) -> torch.Tensor:
    """Write `value` to these columns of the first rows; what attention then reads, (rows, columns)."""
    cache.write_to(torch.tensor(columns))
    states = torch.full((len(columns), 2, len(columns[0]), 3), value)
    keys, values = cache.layers[0].update(states, 10 * states)
    assert torch.equal(values, 10 * keys)
    assert (keys == keys[:, :1, :, :1]).all(), "all heads and channels are written"
    return keys[:, 0, :, 0]


def test_tokens_are_written_where_they_are_told_and_the_store_grows_with_zeros() -> None:
    cache = RaggedCache(layers=1)
    cache.reserve(5)
    assert cache.capacity == RaggedCache.STEP
    first = written(cache, [[0, 1], [2, 3]], 1.0)
    assert first[0].nonzero().flatten().tolist() == [0, 1] and first[1].nonzero().flatten().tolist() == [2, 3]
    cache.reserve(RaggedCache.STEP + 1)
    second = written(cache, [[40], [4]], 2.0)
    assert second.shape == (2, 2 * RaggedCache.STEP)
    assert second[0, [0, 1, 2, 40]].tolist() == [1, 1, 0, 2] and second[1, [2, 3, 4]].tolist() == [1, 1, 2]
    cache.reserve(3)
    assert cache.capacity == 2 * RaggedCache.STEP, "a cache never shrinks"


def test_rows_are_kept_swapped_and_spread() -> None:
    cache = RaggedCache(layers=1)
    cache.reserve(3)
    written(cache, [[0], [1], [2]], 1.0)

    def columns() -> list[int]:
        keys: Any = cache.layers[0].keys
        return keys[:, 0, :, 0].argmax(1).tolist()

    assert columns() == [0, 1, 2]
    cache.swap(torch.tensor([0]), torch.tensor([2]))
    assert columns() == [2, 1, 0]
    cache.select([1, 2])
    assert columns() == [1, 0]
    cache.spread(torch.tensor([0, 0, 1]), torch.tensor([[1, 0], [0, 1], [0, 2]]))
    assert columns() == [0, 1, 0] and cache.capacity == 2
