"""Stores of keys and values that stay where they are."""

import pytest
import torch

from shiftgym.models.generation.buffers import Buffers, FixedCache, bucket_columns, bucket_rows


@pytest.mark.parametrize(
    ("bucket", "sizes"),
    [
        (bucket_rows, [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]),
        (bucket_columns, [64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280]),
    ],
)
def test_sizes_are_rounded_up_to_few(bucket, sizes):
    assert sorted({bucket(count) for count in range(1, sizes[-1] + 1)}) == sizes
    assert all(bucket(count) >= count for count in range(1, sizes[-1]))
    assert [bucket(size) for size in sizes] == sizes


def written(cache: FixedCache, columns: list[list[int]], value: float) -> torch.Tensor:
    """Write `value` to these columns of the first rows; what attention then reads, (rows, columns)."""
    cache.write_to(torch.tensor(columns))
    states = torch.full((len(columns), 2, len(columns[0]), 3), value)
    keys, values = cache.layers[0].update(states, 10 * states)
    assert torch.equal(values, 10 * keys)
    return keys[:, 0, :, 0]


def test_stores_keep_what_was_written_while_they_are_selected_and_grow() -> None:
    buffers = Buffers()
    cache = FixedCache(1, buffers)
    cache.reserve(3)
    written(cache, [[0, 1], [0, 1]], 1.0)
    assert buffers.bytes == 0, "prompts are read into memory of their own"
    cache.spread(torch.tensor([0, 1, 1]), torch.tensor([[0, 1], [0, 1], [1, 1]]))
    layer = cache.layers[0]
    assert layer.keys.shape == (8, 2, 64, 3)
    assert buffers.bytes == 2 * 4 * 8 * 2 * 64 * 3
    assert layer.keys[:3, :, :2].eq(1).all() and layer.keys.sum() == 3 * 2 * 2 * 3, "the rest is zeros"

    written(cache, [[2], [3], [4]], 2.0)
    cache.select([2, 0])
    assert layer.keys[0, 0, :6, 0].tolist() == [1, 1, 0, 0, 2, 0]
    assert layer.keys[1, 0, :6, 0].tolist() == [1, 1, 2, 0, 0, 0]
    assert layer.keys[2:].eq(0).all()
    cache.reserve(65)
    assert layer.keys.shape == (8, 2, 128, 3)
    assert layer.keys[0, 0, :6, 0].tolist() == [1, 1, 0, 0, 2, 0]
    assert layer.keys[:, :, 64:].eq(0).all()
    cache.swap(torch.tensor([0]), torch.tensor([1]))
    assert layer.keys[1, 0, :6, 0].tolist() == [1, 1, 0, 0, 2, 0]


def test_a_smaller_store_lies_where_the_larger_one_lay() -> None:
    buffers = Buffers()
    large, small = torch.ones(20, 2, 64, 3), torch.full((5, 2, 10, 3), 7.0)
    first = buffers.laid((0, "keys"), large, 128)
    moves, place = buffers.moves, first.data_ptr()
    second = buffers.laid((0, "keys"), small, 192)
    assert (second.data_ptr(), buffers.moves) == (place, moves)
    assert second[:5, :, :10].eq(7).all() and second.sum() == small.sum(), "nothing old is left"
    third = buffers.laid((0, "keys"), large, 192)
    assert buffers.moves > moves and third.shape == (24, 2, 192, 3)


def test_a_cache_that_leaves_keeps_its_stores() -> None:
    buffers = Buffers()
    cache = FixedCache(1, buffers)
    cache.reserve(1)
    written(cache, [[0]], 5.0)
    cache.spread(torch.tensor([0]), torch.tensor([[0]]))
    cache.leave()
    buffers.laid((0, "keys"), torch.zeros(1, 2, 1, 3), 64)
    assert cache.layers[0].keys[0, :, 0].eq(5).all()
