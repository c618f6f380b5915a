"""Each weight has one owner, and owners have about as much. That ranks step as one process does is tried in
`test_sharding.py`."""

import torch
from torch import nn

from shiftgym.models.parallel import Ranks
from shiftgym.models.rank_optimizers import ByOwners, ByParts, _owners


def test_weights_are_dealt_to_owners_by_their_size() -> None:
    assert _owners([8, 8, 4, 4, 2], 2) == [0, 1, 0, 1, 0]
    assert _owners([1, 100, 1, 1], 2) == [1, 0, 1, 1]
    assert _owners([5], 3) == [0]


def test_a_rank_makes_an_optimizer_of_what_it_owns() -> None:
    weights = [nn.Parameter(torch.ones(size, 2)) for size in (8, 6, 1)]
    groups = [{"params": weights[:2], "factor": 1.0}, {"params": weights[2:], "factor": 3.0}]
    found = [ByOwners(torch.optim.AdamW, groups, Ranks(rank, 3)).param_groups for rank in range(3)]
    shapes = [[[tuple(each.shape) for each in group["params"]] for group in one] for one in found]
    assert shapes == [[[(8, 2)], []], [[(6, 2)], []], [[], [(1, 2)]]]
    assert all([group["factor"] for group in one] == [1.0, 3.0] for one in found)
    assert all(each.untyped_storage().nbytes() == 4 for one in found for group in one for each in group["params"])


def test_whole_weights_are_stepped_by_every_rank() -> None:
    weight = nn.Parameter(torch.ones(4, 2))
    stepped = ByParts(torch.optim.AdamW, [{"params": [weight], "factor": 1.0}], Ranks(0, 2))
    weight.grad = torch.ones(4, 2)
    stepped.step()
    stepped.zero_grad()
    assert weight.grad is None
    assert (weight < 1).all()
    states = stepped.state_dict()
    other = ByParts(torch.optim.AdamW, [{"params": [nn.Parameter(torch.ones(4, 2))], "factor": 1.0}], Ranks(1, 2))
    other.load_state_dict(states)
    assert torch.equal(other._inner.state_dict()["state"][0]["exp_avg"], states["state"][0]["exp_avg"])
    assert ByParts(torch.optim.AdamW, [{"params": [weight]}], Ranks(1, 2)).state_dict()["state"] == {}
