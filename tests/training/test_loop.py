"""What the loop does with what a recipe collected."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from shiftgym.models.microbatches import microbatches
from shiftgym.training.recipes.ppo import PPO
from shiftgym.training.recipes.sft import SFT

SMALL = {"episodes_per_iteration": 16, "max_new_tokens": 3}


def test_sharing_rows_does_not_change_the_gradient(bench: Any) -> None:
    recipe = bench.make(PPO, **SMALL)
    conversations = bench.collected(recipe)
    # Each once more with another last token, so that all but that is shared.
    conversations += [replace(each, ids=[*each.ids[:-1], 9]) for each in conversations]
    whole = bench.gradient(bench.loss(recipe, bench.one_pass(conversations))[0])
    (shared,) = microbatches(conversations, 10**6, torch.device("cpu"), trees=True)
    assert shared.packed.ids.numel() < sum(len(each.ids) for each in conversations) * 0.6
    assert torch.allclose(whole, bench.gradient(bench.loss(recipe, shared)[0]), atol=1e-5)


def test_cutting_a_minibatch_into_passes_does_not_change_its_gradient(bench: Any) -> None:
    recipe = bench.make(PPO, **SMALL)
    conversations = bench.collected(recipe)
    whole = bench.gradient(bench.loss(recipe, bench.one_pass(conversations))[0])
    bench.model.zero_grad()
    parts = list(microbatches(conversations, 40, torch.device("cpu"), trees=False))
    for batch in parts:
        bench.loss(recipe, batch)[0].backward()
    assert len(parts) > 3
    assert torch.allclose(whole, bench.gradients(), atol=1e-6)


def test_feedback_tokens_have_no_gradient_of_their_own(bench: Any) -> None:
    """Only the probability of answer tokens matters: the logits at other positions get exactly nothing."""
    recipe = bench.make(PPO, entropy=0.1, **SMALL)  # a token whose advantage happens to be 0 has a gradient
    batch = bench.one_pass([each for each in bench.collected(recipe) if len(each.spans) > 1])
    seen: list[torch.Tensor] = []

    def keep(_module: Any, _arguments: Any, output: Any) -> None:
        output.last_hidden_state.retain_grad()
        seen.append(output.last_hidden_state)

    trunk = bench.model.base_model.register_forward_hook(keep)
    bench.loss(recipe, batch)[0].backward()
    trunk.remove()
    grad = seen[0].grad
    assert grad is not None
    predicts = torch.zeros_like(batch.packed.ids, dtype=torch.bool)
    predicts[batch.predictors] = True
    touched = grad.abs().sum(-1) > 0
    assert touched[predicts].all()
    assert not touched[~predicts].any()


def test_weights_count_token_by_token_and_none_means_one(bench: Any) -> None:
    recipe = bench.make(SFT, batch=6, problems=20)
    conversations = bench.collected(recipe)
    plain = bench.loss(recipe, bench.one_pass(conversations))[0].item()
    weighted = [replace(each, weights=[2.0] * each.answer_tokens) for each in conversations]
    assert bench.loss(recipe, bench.one_pass(weighted))[0].item() == pytest.approx(2 * plain)
    half = [*weighted[:3], *(replace(each, weights=[0.0] * each.answer_tokens) for each in conversations[3:])]
    only = bench.loss(recipe, bench.one_pass(conversations[:3]))[0].item()
    assert bench.loss(recipe, bench.one_pass(half))[0].item() == pytest.approx(only, rel=1e-4)
