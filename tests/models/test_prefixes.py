import random

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from shiftgym.models.prefixes import Packed, locate, pack_prefix_trees

CPU = torch.device("cpu")


def alike() -> list[list[int]]:
    draw = random.Random(0)
    return [[draw.choice([1, 2]) for _ in range(draw.randint(1, 12))] for _ in range(40)]


@pytest.mark.parametrize("limit", [0, 15, 1000])
def test_every_sequence_is_a_path_that_sees_exactly_itself(limit: int) -> None:
    sequences = alike()
    trees = pack_prefix_trees(sequences, limit)
    assert sorted(member for tree in trees for member in tree.members) == list(range(40))
    assert all(len(tree) <= max(limit, 12) for tree in trees)
    for tree in trees:
        visible = tree.visible()
        for member, path in zip(tree.members, tree.paths, strict=True):
            assert [tree.ids[node] for node in path] == sequences[member]
            assert [tree.positions[node] for node in path] == list(range(len(path)))
            for depth, node in enumerate(path):
                assert visible[node].nonzero()[:, 0].tolist() == sorted(path[: depth + 1])


def test_what_is_shared_is_there_once_and_strangers_stay_apart() -> None:
    shared, stranger = pack_prefix_trees([[5, 6, 7, 8], [5, 6, 9], [9, 6, 7], [5, 6, 7, 8], [5, 6]], 100)
    assert (sorted(shared.ids), stranger.ids) == ([5, 6, 7, 8, 9], [9, 6, 7])


def test_without_branches_a_plain_mask_will_do() -> None:
    packed = Packed.of(pack_prefix_trees([[1, 2, 3], [4]], 0), CPU)
    assert packed.visible is None
    masks = packed.attention_mask(torch.float32)
    assert packed.ids.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert masks.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_a_tree_gives_the_states_of_fresh_rows(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    model = tiny[0]
    if getattr(model.config, "sliding_window", None):
        pytest.skip("a model with windows is never given trees")
    history = torch.randint(300, (60,), generator=torch.Generator().manual_seed(0)).tolist()
    sequences = [history[: 20 + 4 * turn] + [300 + turn] * 5 for turn in range(8)] + [[7, 8, 9]]
    trees = pack_prefix_trees(sequences, 200)
    assert sorted(len(tree.members) for tree in trees) == [1, 8]
    packed = Packed.of(trees, CPU)
    with torch.no_grad():
        states = model.base_model(
            input_ids=packed.ids, position_ids=packed.positions, attention_mask=packed.attention_mask(torch.float32)
        ).last_hidden_state
        rows, paths, ends = locate(trees)
        for row, path, end, sequence in zip(rows, paths, ends, sequences, strict=True):
            fresh = model.base_model(torch.tensor([sequence])).last_hidden_state[0]
            assert torch.allclose(states[row, path[: len(sequence)]], fresh, atol=1e-4)
            assert end == path[len(sequence) - 1]
