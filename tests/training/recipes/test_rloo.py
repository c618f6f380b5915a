from typing import Any

import pytest

from shiftgym.training.recipes.rloo import RLOO


def test_a_return_is_held_against_the_others_of_its_group(bench: Any) -> None:
    assert bench.make(RLOO).advantages([4.0, -2.0, -2.0, 1.0])[0] == pytest.approx(4 - (-3) / 3)


def test_answer_tokens_weigh_as_much_as_the_return_above_the_others(bench: Any) -> None:
    settings = {"episodes_per_iteration": 128, "group_size": 64, "limit": 3, "reward_scale": 0.5, "max_new_tokens": 3}
    collection = bench.make(RLOO, **settings).collect(1)
    returns = [0.5 * episode.reward for episode in collection.episodes]
    assert len({*returns[:64]}) > 1 and len({*returns[64:]}) > 1
    for place, ((conversation,), found) in enumerate(zip(collection.groups, returns, strict=True)):
        group = returns[place - place % 64 :][:64]
        expected = found - (sum(group) - found) / 63
        assert conversation.weights == pytest.approx([expected] * conversation.answer_tokens)
