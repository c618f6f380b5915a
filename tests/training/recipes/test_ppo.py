from collections import defaultdict
from itertools import accumulate
from typing import Any

import pytest
import torch

from shiftgym.models.microbatches import TREE
from shiftgym.models.prefixes import pack_prefix_trees
from shiftgym.training.recipes.ppo import PPO

SMALL = {"episodes_per_iteration": 16, "max_new_tokens": 3}


def test_attempts_of_one_number_have_mean_zero_and_all_have_unit_deviation(bench: Any) -> None:
    collection = bench.make(PPO, **SMALL).collect(1)
    attempts = defaultdict(list)
    for (conversation,) in collection.groups:
        ends = accumulate(stop - start for start, stop in conversation.spans)
        for number, end in enumerate(ends):
            attempts[number].append(conversation.weights[end - 1])
    assert len(attempts) == 3
    assert all(sum(values) == pytest.approx(0, abs=1e-6) for values in attempts.values())
    flat = torch.tensor([value for values in attempts.values() for value in values])
    assert flat.std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_returns_count_the_terminal_penalty_and_end_with_the_episode(bench: Any) -> None:
    collection = bench.make(PPO, gae_lambda=1.0, reward_scale=0.5, **SMALL).collect(1)
    failed = [(group, e) for group, e in zip(collection.groups, collection.episodes, strict=True) if not e.success]
    assert failed
    for (conversation,), _ in failed:
        # Three wrong answers at -1, and -1 for running out of attempts; nothing after the last.
        assert conversation.returns == pytest.approx([-2.0, -1.5, -1.0])


def test_ratios_are_one_before_the_first_update(bench: Any) -> None:
    recipe = bench.make(PPO, **SMALL)
    batch = bench.one_pass(bench.collected(recipe))
    _, metrics = bench.loss(recipe, batch)
    assert metrics["clip_fraction"] == 0
    assert metrics["policy_loss"].item() == pytest.approx(-batch.weights.mean().item(), abs=1e-5)
    assert metrics["kl"].item() == pytest.approx(0, abs=1e-6)
    assert torch.allclose(batch.logprobs, batch.reference, atol=1e-4), "the model still is its own reference"


def test_the_critic_does_not_shape_the_trunk(bench: Any) -> None:
    recipe = bench.make(PPO, kl=0, **SMALL)
    batch = bench.one_pass(bench.collected(recipe))
    before = bench.gradient(bench.loss(recipe, batch)[0])
    batch.returns.add_(5.0)
    assert torch.equal(before, bench.gradient(bench.loss(recipe, batch)[0]))
    assert all(weight.grad is not None for weight in recipe.player.value_head.parameters())


def test_without_feedback_only_the_failure_is_told(bench: Any) -> None:
    told = {}
    for feedback in (True, False):
        conversations = bench.collected(bench.make(PPO, feedback=feedback, **SMALL))
        between = [c.ids[c.spans[0][1] : c.spans[1][0]] for c in conversations if len(c.spans) > 1]
        told[feedback] = {bench.chat_format.tokenizer.decode(ids) for ids in between}
    assert told[True] != told[False]


def test_everything_is_on_the_ledger(bench: Any) -> None:
    conversations = bench.collected(bench.make(PPO, **SMALL))
    generated = sum(conversation.answer_tokens for conversation in conversations)
    assert bench.ledger.tokens_generated == generated
    assert bench.ledger.tokens_prompt == sum(len(c.ids) for c in conversations) - generated
    assert bench.ledger.backward_flops == 0
    # The reference model read every conversation once (what they share, once), besides what generation itself read.
    read = sum(map(len, pack_prefix_trees([c.ids for c in conversations], TREE)))
    assert bench.ledger.forward_flops > 2 * bench.ledger.shape.matrix_weights * read * 2


def test_an_iteration_depends_on_its_number_alone(bench: Any) -> None:
    recipe = bench.make(PPO, **SMALL)
    first = bench.collected(recipe, 2)
    recipe.collect(5)
    assert bench.collected(recipe, 2) == first
