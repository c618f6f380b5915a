"""What each recipe learns from, on the tiny task."""

from collections import defaultdict
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
import torch

from shiftgym.models.microbatches import TREE, Conversation, Microbatch, microbatches
from shiftgym.models.prefixes import pack_prefix_trees
from shiftgym.training.group import Group
from shiftgym.training.ppo import PPO
from shiftgym.training.recipe import Context, Recipe
from shiftgym.training.settings import GroupSettings, PPOSettings, SFTSettings
from shiftgym.training.sft import SFT

SMALL = {"episodes_per_iteration": 16, "max_new_tokens": 3}


def one_pass(sequences: list[Conversation]) -> Microbatch:
    (batch,) = microbatches(sequences, 10**6, torch.device("cpu"), trees=False)
    return batch


def collected(recipe: Recipe, step: int = 1) -> list[Conversation]:
    return [sequence for several in recipe.collect(step).sequences for sequence in several]


def gradient(recipe: Recipe, context: Context, batch: Microbatch) -> torch.Tensor:
    context.model.zero_grad()
    loss, _ = recipe.loss(batch)
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in context.model.parameters() if weight.grad is not None])


def test_sft_learns_the_experts_answer_and_its_end(context: Context) -> None:
    recipe = SFT(context, SFTSettings(batch=5, problems=20))
    for sequence in collected(recipe):
        ((start, stop),) = sequence.spans
        prompt, answer = sequence.ids[:start], sequence.ids[start:stop]
        assert answer == [prompt[2], context.chat_format.end_id]
        assert stop == len(sequence.ids)


def test_sft_loss_is_the_mean_over_answer_tokens(context: Context) -> None:
    recipe = SFT(context, SFTSettings(batch=6))
    sequences = collected(recipe)
    batch = one_pass(sequences)
    ids, labels = batch.packed.ids, torch.full_like(batch.packed.ids, -100)
    labels[batch.predictors[0], batch.predictors[1] + 1] = batch.targets
    expected = context.model(input_ids=ids, labels=labels).loss
    assert recipe.loss(batch)[0].item() == pytest.approx(expected.item(), abs=1e-5)


def test_sharing_rows_does_not_change_the_gradient(context: Context) -> None:
    recipe = PPO(context, PPOSettings(**SMALL))
    sequences = collected(recipe)
    # Each once more with another last token, so that all but that is shared.
    sequences += [replace(sequence, ids=[*sequence.ids[:-1], 9]) for sequence in sequences]
    whole = gradient(recipe, context, one_pass(sequences))
    (shared,) = microbatches(sequences, 10**6, torch.device("cpu"), trees=True)
    assert shared.packed.ids.numel() < sum(len(sequence.ids) for sequence in sequences) * 0.6
    assert torch.allclose(whole, gradient(recipe, context, shared), atol=1e-5)


def test_cutting_a_minibatch_into_passes_does_not_change_its_gradient(context: Context) -> None:
    recipe = PPO(context, PPOSettings(**SMALL))
    sequences = collected(recipe)
    whole = gradient(recipe, context, one_pass(sequences))
    context.model.zero_grad()
    parts = list(microbatches(sequences, 40, torch.device("cpu"), trees=False))
    for batch in parts:
        recipe.loss(batch)[0].backward()
    summed = torch.cat([weight.grad.flatten() for weight in context.model.parameters() if weight.grad is not None])
    assert len(parts) > 3
    assert torch.allclose(whole, summed, atol=1e-6)


def test_ratios_are_one_before_the_first_update(context: Context) -> None:
    recipe = PPO(context, PPOSettings(**SMALL))
    batch = one_pass(collected(recipe))
    _, metrics = recipe.loss(batch)
    assert metrics["clip_fraction"] == 0
    assert metrics["policy_loss"].item() == pytest.approx(-batch.advantages.mean().item(), abs=1e-5)
    assert metrics["kl"].item() == pytest.approx(0, abs=1e-6)
    assert torch.allclose(batch.logprobs, batch.reference, atol=1e-4), "the model still is its own reference"


def test_log_probabilities_of_generation_are_those_of_training_at_any_temperature(context: Context) -> None:
    recipe = Group(context, GroupSettings(recipe="rloo", temperature=0.5, **SMALL))
    batch = one_pass(collected(recipe))
    assert torch.allclose(batch.logprobs, batch.reference, atol=1e-4)


def test_feedback_tokens_have_no_gradient_of_their_own(context: Context) -> None:
    """Only the probability of answer tokens matters: the logits at other positions get exactly nothing."""
    recipe = PPO(context, PPOSettings(entropy=0.1, **SMALL))  # a token whose advantage happens to be 0 has a gradient
    batch = one_pass([s for s in collected(recipe) if len(s.spans) > 1])
    seen: list[torch.Tensor] = []

    def keep(_module: Any, _arguments: Any, output: Any) -> None:
        output.last_hidden_state.retain_grad()
        seen.append(output.last_hidden_state)

    trunk = context.model.base_model.register_forward_hook(keep)
    recipe.loss(batch)[0].backward()
    trunk.remove()
    grad = seen[0].grad
    assert grad is not None
    predicts = torch.zeros_like(batch.packed.ids, dtype=torch.bool)
    predicts[batch.predictors] = True
    touched = grad.abs().sum(-1) > 0
    assert touched[predicts].all()
    assert not touched[~predicts].any()


def test_the_value_head_does_not_shape_the_trunk(context: Context) -> None:
    recipe = PPO(context, PPOSettings(kl=0, **SMALL))
    sequences = collected(recipe)
    batch = one_pass(sequences)
    before = gradient(recipe, context, batch)
    batch.returns.add_(5.0)
    assert torch.equal(before, gradient(recipe, context, batch))
    assert all(weight.grad is not None for weight in recipe.head.parameters())


def test_ppo_turns_of_one_number_have_mean_zero_and_all_have_unit_deviation(context: Context) -> None:
    collection = PPO(context, PPOSettings(**SMALL)).collect(1)
    turns = defaultdict(list)
    for (sequence,) in collection.sequences:
        ends = accumulate(stop - start for start, stop in sequence.spans)
        for number, end in enumerate(ends):
            turns[number].append(sequence.advantages[end - 1])
    assert len(turns) == 3
    assert all(sum(values) == pytest.approx(0, abs=1e-6) for values in turns.values())
    flat = torch.tensor([value for values in turns.values() for value in values])
    assert flat.std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_ppo_returns_count_the_terminal_penalty_and_end_with_the_episode(context: Context) -> None:
    settings = PPOSettings(gae_lambda=1.0, reward_scale=0.5, **SMALL)
    collection = PPO(context, settings).collect(1)
    failed = [(s, e) for s, e in zip(collection.sequences, collection.episodes, strict=True) if not e.success]
    assert failed
    for (sequence,), _ in failed:
        # Three wrong answers at -1, and -1 for running out of attempts; nothing after the last.
        assert sequence.returns == pytest.approx([-2.0, -1.5, -1.0])


@pytest.mark.parametrize("name", ["rloo", "grpo"])
def test_groups_share_a_problem_and_every_token_has_the_episodes_advantage(context: Context, name: str) -> None:
    settings = GroupSettings(recipe=name, group_size=4, limit=2, **SMALL)
    collection = Group(context, settings).collect(1)
    for start in range(0, 16, 4):
        group = collection.episodes[start : start + 4]
        assert len({episode.problem for episode in group}) == 1
        advantages = [sequence.advantages for (sequence,) in collection.sequences[start : start + 4]]
        assert all(len(set(turns)) == 1 for turns in advantages)
        assert sum(turns[0] for turns in advantages) == pytest.approx(0, abs=1e-6)
    assert all(len(sequence.spans) <= 2 for (sequence,) in collection.sequences)


def test_without_feedback_only_the_failure_is_told(context: Context) -> None:
    told = {}
    for feedback in (True, False):
        recipe = PPO(context, PPOSettings(feedback=feedback, **SMALL))
        between = [s.ids[s.spans[0][1] : s.spans[1][0]] for s in collected(recipe) if len(s.spans) > 1]
        told[feedback] = {context.chat_format.tokenizer.decode(ids) for ids in between}
    assert told[True] != told[False]


def test_everything_is_on_the_ledger(context: Context) -> None:
    sequences = collected(PPO(context, PPOSettings(**SMALL)))
    generated = sum(sequence.answer_tokens for sequence in sequences)
    assert context.ledger.tokens_generated == generated
    assert context.ledger.tokens_prompt == sum(len(s.ids) for s in sequences) - generated
    assert context.ledger.backward_flops == 0
    # The reference model read every conversation once (what they share, once), besides what generation itself read.
    read = sum(map(len, pack_prefix_trees([s.ids for s in sequences], TREE)))
    assert context.ledger.forward_flops > 2 * context.ledger.shape.matrix_weights * read * 2


def test_an_iteration_depends_on_its_number_alone(context: Context) -> None:
    recipe = PPO(context, PPOSettings(**SMALL))
    first = collected(recipe, 2)
    recipe.collect(5)
    assert collected(recipe, 2) == first
