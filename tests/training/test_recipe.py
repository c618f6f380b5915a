"""What every recipe has, before it says what is its own."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from shiftgym.episodes import Episode
from shiftgym.models.score import score
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.recipes.ppo import PPO
from shiftgym.training.recipes.rft import RFT
from shiftgym.training.recipes.rloo import RLOO
from shiftgym.training.recipes.sft import SFT
from shiftgym.training.settings import TrainingSettings

SMALL = {"episodes_per_iteration": 16, "max_new_tokens": 3}


class Least(Recipe):
    """As little as a recipe can say."""

    name = "least"
    Settings = TrainingSettings
    family = "between"

    def collect(self, step: int) -> Collection:
        return Collection([self.player.expert("train", index) for index in self.problems(step, 4)])


def answers(played: list[Episode]) -> list[list[str]]:
    return [[one.answer for record in episode.decisions for one in record.attempts] for episode in played]


def test_all_recipes_of_a_seed_meet_the_problems_in_the_same_order(bench: Any) -> None:
    recipes = [bench.make(kind, problems=20) for kind in (SFT, RFT, PPO)]
    met = [[*recipe.problems(1, 6), *recipe.problems(2, 6)] for recipe in recipes]
    assert met == [list(training_order(0, "train", 20, 0, 12))] * 3


def test_what_a_recipe_does_not_say_is_plain_likelihood(bench: Any) -> None:
    recipe = bench.make(Least)
    assert (recipe.minibatch, recipe.epochs, recipe.kl, recipe.temperature) == (None, 1, 0.0, 1.0)
    assert recipe.sampled_by is recipe.value_rate is recipe.player.value_head is None
    conversations = bench.collected(recipe)
    weighted = [replace(conversations[0], weights=[3.0, 0.0]), *conversations[1:]]
    batch = bench.one_pass(weighted)
    scores = score(bench.model, batch.packed, batch.predictors, batch.targets)
    loss, metrics = recipe.loss(scores, batch)
    assert (batch.weights != 1).sum() == 2
    assert loss.item() == pytest.approx(-(batch.weights * scores.logprobs).sum().item() / 8)
    assert metrics == {}
    share, _ = recipe.loss(scores, replace(batch, minibatch_answer_tokens=16))
    assert share.item() == pytest.approx(loss.item() / 2), "a microbatch is a part of its minibatch"


def test_a_critic_comes_with_its_rate(bench: Any) -> None:
    assert bench.make(PPO).player.value_head is not None
    assert bench.make(RLOO).player.value_head is None


def test_the_start_is_kept_for_who_asks_for_it(bench: Any) -> None:
    with pytest.raises(RuntimeError, match="sft keeps no model of its start"):
        _ = bench.make(SFT).start
    kept = bench.make(SFT, kl=0.1)
    bench.disturb()
    pairs = zip(kept.start.model.parameters(), bench.model.parameters(), strict=True)
    assert not any(torch.equal(before, now) for before, now in pairs)


def test_each_episode_has_noise_of_its_own_and_the_same_again(bench: Any) -> None:
    recipe = bench.make(RLOO, **SMALL)
    first = answers(recipe.play([3] * 8, 1))
    assert len({tuple(each) for each in first}) > 1
    assert answers(recipe.play([3] * 8, 1)) == first
    assert answers(recipe.play([3] * 8, 2)) != first


def test_episodes_end_at_the_limit_of_the_settings(bench: Any) -> None:
    for limit, most in ((1, 1), (2, 2), (None, bench.task.limit)):
        played = bench.make(PPO, limit=limit, **SMALL).play([*range(16)], 1)
        assert max(map(len, answers(played))) == most


def test_the_entropy_bonus_lowers_the_loss(bench: Any) -> None:
    batch = bench.one_pass(bench.collected(bench.make(RLOO, **SMALL)))
    scores = score(bench.model, batch.packed, batch.predictors, batch.targets)
    plain, metrics = bench.make(RLOO, **SMALL).loss(scores, batch)
    loss, _ = bench.make(RLOO, entropy=0.5, **SMALL).loss(scores, batch)
    assert metrics["entropy"].item() == pytest.approx(scores.entropy.mean().item())
    assert loss.item() == pytest.approx(plain.item() - 0.5 * metrics["entropy"].item())


def test_log_probabilities_of_generation_are_those_of_training_at_any_temperature(bench: Any) -> None:
    batch = bench.one_pass(bench.collected(bench.make(RLOO, temperature=0.5, **SMALL)))
    assert torch.allclose(batch.logprobs, batch.reference, atol=1e-4)
