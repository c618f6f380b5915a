import random

import pytest
import torch

from shiftgym.models.prefixes import plant


def walk(forest, index):
    """The tokens that sequence `index` reads back from its tree."""
    row, path = forest.rows[index], forest.paths[index]
    return forest.ids[row, path].tolist()


@pytest.mark.parametrize("limit", [1, 20, 60, 1000])
def test_every_sequence_is_a_path_that_sees_exactly_itself(limit: int) -> None:
    draw = random.Random(0)
    sequences = [[draw.choice([1, 2]) for _ in range(draw.randint(1, 12))] for _ in range(40)]
    forest = plant(sequences, limit)
    for index, sequence in enumerate(sequences):
        row, path = forest.rows[index], forest.paths[index]
        assert walk(forest, index) == sequence
        assert forest.positions[row, path].tolist() == list(range(len(sequence)))
        for depth, node in enumerate(path):
            assert forest.visible[row, node].nonzero()[:, 0].tolist() == sorted(path[: depth + 1])
    assert forest.ids.shape[1] <= max(limit, max(map(len, sequences)))


def test_a_shared_beginning_is_there_once() -> None:
    forest = plant([[5, 6, 7, 8], [5, 6, 9], [5, 6, 7, 8], [5, 6]], 100)
    assert sorted(forest.ids.flatten().tolist()) == [5, 6, 7, 8, 9]
    assert forest.size == 5


def test_padding_sees_itself_only() -> None:
    forest = plant([[1, 2, 3], [4]], 3)
    assert forest.ids.shape == (2, 3)
    assert torch.equal(forest.visible[1], torch.eye(3, dtype=torch.bool))
