"""From played episodes to what is learned."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.episodes import Attempt, DecisionRecord, Episode
from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.messages import user
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.recipes.distill import Distill
from shiftgym.training.recipes.grpo import GRPO
from shiftgym.training.recipes.ppo import PPO
from shiftgym.training.rollouts import require_answers, summary, weighted
from shiftgym.verdicts import Verdict

TWICE = Conversation([*range(9)], [(1, 3), (5, 8)])
ONCE = Conversation([*range(4)], [(2, 4)])


def test_every_token_of_an_answer_has_the_advantage_of_its_attempt() -> None:
    first, second = weighted([TWICE, ONCE], [0.5, -1.0, 2.0], [3.0, 4.0, 5.0])
    assert first.weights == [0.5, 0.5, -1.0, -1.0, -1.0]
    assert second.weights == [2.0, 2.0]
    assert (first.returns, second.returns) == ([3.0, 4.0], [5.0])
    assert (first.ids, first.spans) == (TWICE.ids, TWICE.spans)


def test_without_a_critic_there_are_no_returns() -> None:
    assert [each.returns for each in weighted([TWICE, ONCE], [0.5, -1.0, 2.0])] == [[], []]


def test_an_attempt_without_an_advantage_is_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        weighted([TWICE, ONCE], [0.5, -1.0])


def test_an_iteration_is_summed_up() -> None:
    def attempt(tokens: int, *, correct: bool) -> Attempt:
        verdict = Verdict("correct" if correct else "wrong", 5.0 if correct else -1.0, "", correct)
        return Attempt("", verdict, tokens, "end")

    solved = Episode(None, [DecisionRecord(None, [attempt(2, correct=True)])])
    late = Episode(None, [DecisionRecord(None, [attempt(3, correct=False), attempt(3, correct=True)])])
    failed = Episode(None, [DecisionRecord(None, [attempt(4, correct=False), attempt(8, correct=False)])])
    assert summary([solved, late, failed]) == pytest.approx(
        {
            # Running out of attempts costs 1 more.
            "reward": (5 + 4 - 3) / 3,
            "success": 2 / 3,
            "success_1": 1 / 3,
            "attempts": 5 / 3,
            "answer_tokens": 4.0,
        }
    )


@pytest.mark.parametrize("kind", [PPO, GRPO])
def test_attempts_that_do_not_fit_the_model_are_judged_and_not_learned(bench: Any, kind: Any) -> None:
    bench.model.config.max_position_embeddings = 13
    recipe = bench.make(kind, episodes_per_iteration=16, minibatch=16, max_new_tokens=4, limit=3)
    collection = recipe.collect(1)
    seen = set()
    for (conversation,), episode in zip(collection.groups, collection.episodes, strict=True):
        attempts = episode.decisions[0].attempts
        seen.add((attempts[-1].stop, len(attempts)))
        assert len(conversation.ids) <= 13
        assert [stop - start for start, stop in conversation.spans] == [attempt.tokens for attempt in attempts]
        assert len(conversation.weights) == len(conversation.logprobs) == conversation.answer_tokens
        assert len(conversation.returns) == (len(attempts) if kind is PPO else 0)
    assert ("too_long", 2) in seen
    loss, _ = bench.loss(recipe, bench.one_pass(bench.collected(recipe)))
    assert loss.isfinite()


def test_no_hindsight_is_taken_that_does_not_fit(bench: Any) -> None:
    bench.model.config.max_position_embeddings = 13
    recipe = bench.make(Distill, episodes_per_iteration=16, minibatch=16, max_new_tokens=4)
    learned = list(chain(*recipe.collect(1).groups))
    assert len(learned) < 16
    for conversation in learned:
        feedback = bench.chat_format.reply([user("wrong")])
        assert len(conversation.ids) + len(feedback) - 1 + conversation.answer_tokens <= 13


def test_where_no_prompt_fits_there_is_nothing_to_learn(bench: Any, tmp_path: Path) -> None:
    bench.model.config.max_position_embeddings = 3
    recipe = bench.make(PPO, episodes_per_iteration=4, minibatch=2, max_new_tokens=4)
    with pytest.raises(ConfigError, match="no problem fits the model"):
        Loop(recipe, tmp_path, Limits(steps=1)).advance()
    with pytest.raises(
        ConfigError, match=r"splits.train: problem 0 with its answer has . tokens, and the model takes 3"
    ):
        recipe.player.expert("train", 0)
    require_answers([])


def test_a_model_that_overflows_stops_with_the_step(bench: Any, tmp_path: Path) -> None:
    recipe = bench.make(PPO, episodes_per_iteration=4, minibatch=2, max_new_tokens=4)
    with torch.no_grad():
        bench.model.model.norm.weight.fill_(1e38)
    with pytest.raises(TrainingStopped, match="step 1: a logit is not finite.*; there is no checkpoint yet"):
        Loop(recipe, tmp_path, Limits(steps=1)).advance()
