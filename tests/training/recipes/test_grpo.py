from statistics import fmean, pstdev
from typing import Any

import pytest

from shiftgym.training.recipes.grpo import GRPO


def test_a_return_is_measured_in_deviations_of_its_group(bench: Any) -> None:
    assert bench.make(GRPO).advantages([4.0, -2.0, -2.0, 1.0])[0] == pytest.approx((4 - 0.25) / 2.4875, abs=1e-4)


def test_answer_tokens_weigh_as_much_as_the_normalised_return(bench: Any) -> None:
    settings = {"episodes_per_iteration": 128, "group_size": 64, "limit": 3, "reward_scale": 0.5, "max_new_tokens": 3}
    collection = bench.make(GRPO, **settings).collect(1)
    for start in range(0, 128, 64):
        returns = [0.5 * episode.reward for episode in collection.episodes[start : start + 64]]
        spread = pstdev(returns)
        assert spread > 0, "both groups have good and bad episodes"
        for (conversation,), found in zip(collection.groups[start : start + 64], returns, strict=True):
            expected = (found - fmean(returns)) / spread
            assert conversation.weights == pytest.approx([expected] * conversation.answer_tokens, abs=1e-3)
