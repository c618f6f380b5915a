"""Steps that had nothing to learn from."""

from typing import Any

import pytest

from shiftgym.training.idle import ALIKE, alike, idleness
from shiftgym.training.recipes.grpo import GRPO
from shiftgym.training.recipes.ppo import PPO
from shiftgym.verdicts import Verdict

LEARNED, IDLE, EMPTY = {"loss": 0.5, ALIKE: 0.75}, {"loss": 0.0, ALIKE: 1.0}, {"success": 0.0}


def test_groups_whose_members_are_equal_are_counted() -> None:
    assert alike([[1, 1, 1], [1, 2, 1], [-3.0], [[-1, 5], [-1, 5]]]) == 0.75


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], None),
        ([LEARNED, LEARNED], None),
        ([LEARNED, LEARNED, IDLE], None),
        ([{"loss": 1.0}, {"loss": 0.9}], None),
        ([LEARNED, IDLE], "1 of 2 steps had nothing to learn from: all rewards were alike"),
        ([IDLE, IDLE, IDLE], "3 of 3 steps had nothing to learn from: all rewards were alike"),
        ([EMPTY, EMPTY, {"loss": 1.0}], "2 of 3 steps had nothing to learn from: no answer could be used"),
    ],
)
def test_a_branch_that_is_idle_in_half_of_its_steps_says_so(steps: list[dict[str, Any]], told: str | None) -> None:
    assert idleness(steps) == told


@pytest.mark.parametrize(("kind", "own"), [(GRPO, {"group_size": 64}), (PPO, {})])
def test_recipes_say_where_all_rewards_are_alike(
    bench: Any, monkeypatch: pytest.MonkeyPatch, kind: Any, own: dict[str, int]
) -> None:
    recipe = bench.make(kind, episodes_per_iteration=128, max_new_tokens=3, limit=2, **own)
    mixed = recipe.collect(1)
    rewards = [episode.reward for episode in mixed.episodes]
    size = own.get("group_size", 128)
    groups = [set(rewards[start : start + size]) for start in range(0, 128, size)]
    assert mixed.metrics[ALIKE] == sum(len(group) == 1 for group in groups) / len(groups) < 1

    asked = type(bench.task.start(bench.task.problem("train", 0)))
    monkeypatch.setattr(asked, "judge", lambda *_: Verdict("wrong", -1.0, "wrong", False))
    assert recipe.collect(2).metrics[ALIKE] == 1
