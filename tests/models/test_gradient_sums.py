"""Passes are dealt so that all ranks run equally many, of about the same size."""

import math

import pytest
import torch
from torch import nn

from shiftgym.models.gradient_sums import Dealt, clip_gradients, dealt, sum_gradients, weights_are_finite
from shiftgym.models.microbatches import Pass, columns, padded_tokens
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.models.prefixes import Tree


def cut(*sizes: tuple[int, int], picture: bool = False) -> list[Pass]:
    """Passes of so many rows of so many tokens."""
    return [[Tree(ids=[-1 if picture else 7] * length) for _ in range(rows)] for rows, length in sizes]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize(
    "passes",
    [
        cut((40, 10)),
        cut((40, 10), (20, 20), (9, 44)),
        cut((1, 500)),
        cut((3, 9)) + cut((2, 80), picture=True),
        [],
    ],
)
def test_ranks_run_equally_many_passes_and_every_row_once(passes: list[Pass], count: int) -> None:
    shares = [dealt(passes, Ranks(rank, count)) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    rows = [id(tree) for share in shares for each in share if each.weight for tree in each.rows]
    assert sorted(rows) == sorted(id(tree) for rows in passes for tree in rows)
    for together in zip(*shares, strict=True):
        assert len({tree.ids[0] < 0 for each in together for tree in each.rows}) == 1, "all show pictures, or none"
        assert {each.weight for each in together} <= {0.0, 1.0}


def test_passes_are_cut_rather_than_ranks_left_without_work() -> None:
    shares = [dealt(cut((40, 10), (20, 20)), Ranks(rank, 4)) for rank in range(4)]
    assert [[each.tokens for each in share] for share in shares] == [[200], [200], [200], [200]]
    assert all(each.weight for share in shares for each in share)


def test_one_conversation_is_kept_company() -> None:
    passes = cut((1, 500))
    found = [dealt(passes, Ranks(rank, 3)) for rank in range(3)]
    assert found == [[Dealt(passes[0], 500, float(not rank))] for rank in range(3)]


def test_rows_that_are_cut_keep_the_width_of_their_pass() -> None:
    passes = [[Tree(ids=[7] * length) for length in (3, 4, 5, 9)]]
    found = [each for rank in range(2) for each in dealt(passes, Ranks(rank, 2))]
    assert [[len(tree) for tree in each.rows] for each in found] == [[3, 4], [5, 9]]
    assert sum(each.tokens for each in found) == padded_tokens(passes[0])


def test_a_process_alone_runs_the_passes_as_they_are() -> None:
    passes = cut((3, 9), (1, 4)) + cut((2, 80), picture=True)
    assert dealt(passes, ALONE) == [Dealt(rows, columns(rows), 1.0) for rows in passes]


def test_gradients_of_a_process_alone_are_clipped_as_torch_does_it() -> None:
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    for at, (one, same) in enumerate(zip(model.parameters(), other.parameters(), strict=True)):
        one.grad, same.grad = torch.full_like(one, at + 1.0), torch.full_like(one, at + 1.0)
    sum_gradients([model], ALONE)
    assert clip_gradients(model, 0.5) == float(nn.utils.clip_grad_norm_(other.parameters(), 0.5))
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_found(wrong: float) -> None:
    model = nn.Linear(3, 2)
    model.register_parameter("whole", nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False))
    assert weights_are_finite([model], ALONE)
    with torch.no_grad():
        model.bias[1] = wrong
    assert not weights_are_finite([model], ALONE)
