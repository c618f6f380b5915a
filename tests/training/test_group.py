"""GRPO and RLOO."""

from typing import Any

import pytest
from pydantic import ValidationError

from shiftgym.training.recipe import Recipe
from shiftgym.training.recipes.grpo import GRPO
from shiftgym.training.recipes.rloo import RLOO

SMALL = {"episodes_per_iteration": 128, "max_new_tokens": 3}


@pytest.mark.parametrize("kind", [RLOO, GRPO])
def test_groups_share_a_problem_and_every_token_has_the_episodes_advantage(bench: Any, kind: type[Recipe]) -> None:
    collection = bench.make(kind, group_size=64, limit=2, **SMALL).collect(1)
    for start in range(0, 128, 64):
        group = collection.episodes[start : start + 64]
        assert len({episode.problem for episode in group}) == 1
        weights = [conversation.weights for (conversation,) in collection.groups[start : start + 64]]
        assert all(len(set(tokens)) == 1 for tokens in weights)
        assert sum(tokens[0] for tokens in weights) == pytest.approx(0, abs=1e-4)
        assert any(tokens[0] for tokens in weights)
    assert all(len(conversation.spans) <= 2 for (conversation,) in collection.groups)


def test_groups_are_whole() -> None:
    with pytest.raises(ValidationError, match="must be a multiple of group_size"):
        GRPO.Settings(episodes_per_iteration=100, group_size=8)
