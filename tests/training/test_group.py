"""GRPO and RLOO."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from shiftgym.training.recipe import Recipe
from shiftgym.training.recipes.grpo import GRPO
from shiftgym.training.recipes.rloo import RLOO

SMALL = {"episodes_per_iteration": 16, "max_new_tokens": 3}


@pytest.mark.parametrize("kind", [RLOO, GRPO])
def test_groups_share_a_problem_and_every_token_has_the_episodes_advantage(bench: Any, kind: type[Recipe]) -> None:
    collection = bench.make(kind, group_size=4, limit=2, **SMALL).collect(1)
    for start in range(0, 16, 4):
        group = collection.episodes[start : start + 4]
        assert len({episode.problem for episode in group}) == 1
        weights = [conversation.weights for (conversation,) in collection.groups[start : start + 4]]
        assert all(len(set(tokens)) == 1 for tokens in weights)
        assert sum(tokens[0] for tokens in weights) == pytest.approx(0, abs=1e-6)
    assert all(len(conversation.spans) <= 2 for (conversation,) in collection.groups)


def test_the_two_compare_a_return_each_in_its_way(bench: Any) -> None:
    returns = [4.0, -2.0, -2.0, 1.0]
    assert bench.make(RLOO).advantages(returns)[0] == pytest.approx(4 - (-3) / 3)
    assert bench.make(GRPO).advantages(returns)[0] == pytest.approx((4 - 0.25) / 2.4875, abs=1e-4)


def test_log_probabilities_of_generation_are_those_of_training_at_any_temperature(bench: Any) -> None:
    batch = bench.one_pass(bench.collected(bench.make(RLOO, temperature=0.5, **SMALL)))
    assert torch.allclose(batch.logprobs, batch.reference, atol=1e-4)


def test_groups_are_whole() -> None:
    with pytest.raises(ValidationError, match="must be a multiple of group_size"):
        GRPO.Settings(episodes_per_iteration=100, group_size=8)
