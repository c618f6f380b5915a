"""Recipes that learn from answers other than the expert's, or weigh them otherwise."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import logsigmoid

from shiftgym.errors import ConfigError
from shiftgym.models.microbatches import Conversation, Microbatch, microbatches
from shiftgym.models.score import score
from shiftgym.training.distill import Distill
from shiftgym.training.dpo import DPO
from shiftgym.training.recipe import Context
from shiftgym.training.replay import Replay
from shiftgym.training.rft import RFT
from shiftgym.training.settings import DistillSettings, DPOSettings, ReplaySettings, RFTSettings, SFTSettings
from shiftgym.training.sft import SFT

SMALL: dict[str, Any] = {"problems": 12, "max_new_tokens": 3}


def one_pass(sequences: list[Conversation]) -> Microbatch:
    (batch,) = microbatches(sequences, 10**6, torch.device("cpu"), trees=False)
    return batch


def flat(collected: list[list[Conversation]]) -> list[Conversation]:
    return [sequence for several in collected for sequence in several]


def gradient(context: Context, loss: torch.Tensor) -> torch.Tensor:
    context.model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in context.model.parameters() if weight.grad is not None])


def disturb(context: Context) -> None:
    with torch.no_grad():
        for weight in context.model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))


def answer(context: Context, sequence: Conversation) -> str:
    ((start, stop),) = sequence.spans
    return context.chat_format.text(
        [token for token in sequence.ids[start:stop] if token not in context.chat_format.end_ids]
    )


def right(context: Context, sequence: Conversation) -> bool:
    asked = context.chat_format.tokenizer.decode([sequence.ids[2]])
    return answer(context, sequence).strip() == asked.strip()


def test_dft_climbs_the_mean_probability_of_the_answer_tokens(context: Context) -> None:
    recipe = SFT(context, SFTSettings(recipe="dft", batch=6, problems=20))
    batch = one_pass(flat(recipe.collect(1).sequences))
    found = gradient(context, recipe.loss(batch)[0])
    logprobs = score(context.model, batch.packed, batch.predictors, batch.targets).logprobs
    assert torch.allclose(found, gradient(context, -logprobs.exp().mean()), atol=1e-7)
    assert not torch.allclose(found, gradient(context, SFT(context, SFTSettings(batch=6)).loss(batch)[0]), atol=1e-3)


def test_kl_of_sft_is_that_of_the_whole_vocabulary_and_is_paid_for(context: Context) -> None:
    recipe = SFT(context, SFTSettings(batch=6, problems=20, kl=2.0))
    batch = one_pass(flat(recipe.collect(1).sequences))
    plain, metrics = SFT(context, SFTSettings(batch=6)).loss(batch)
    assert metrics == {}
    loss, metrics = recipe.loss(batch)
    assert metrics["kl"].item() == pytest.approx(0, abs=1e-6)
    assert loss.item() == pytest.approx(plain.item(), abs=1e-5)
    before = score(context.model, batch.packed, batch.predictors, batch.targets).log_softmax.detach()
    disturb(context)
    spent = context.ledger.forward_flops
    loss, metrics = recipe.loss(batch)
    now = score(context.model, batch.packed, batch.predictors, batch.targets)
    divergence = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=now.log_softmax), torch.distributions.Categorical(logits=before)
    )
    assert metrics["kl"].item() == pytest.approx(divergence.mean().item(), rel=1e-4) != 0
    assert loss.item() == pytest.approx((-now.logprobs.mean() + 2 * divergence.mean()).item(), rel=1e-4)
    assert context.ledger.forward_flops > spent


def test_rejection_sampling_keeps_the_different_right_answers_of_the_start(context: Context) -> None:
    recipe = RFT(context, RFTSettings(batch=8, group_size=64, **SMALL))
    disturb(context)  # the branch has moved on: answers still are those of its start
    sequences = recipe.collect(1).sequences
    assert len(sequences) == 8
    assert all(right(context, sequence) for sequence in flat(sequences))
    assert all(len({tuple(s.ids) for s in several}) == len(several) for several in sequences)
    again = RFT(replace(context, model=context.model), RFTSettings(batch=8, group_size=64, **SMALL))
    assert [s.ids for s in flat(again.collect(1).sequences)] != [s.ids for s in flat(sequences)]


@pytest.mark.parametrize(
    "make",
    [
        lambda context: RFT(context, RFTSettings(batch=8, group_size=64, **SMALL)),
        lambda context: Replay(context, ReplaySettings(batch=8, share=0.5, **SMALL)),
        lambda context: DPO(context, DPOSettings(batch=4, group_size=64, **SMALL)),
    ],
    ids=["rft", "replay", "dpo"],
)
def test_a_resumed_branch_samples_the_same_and_does_not_pay_again(
    context: Context, make: Callable[[Context], Any]
) -> None:
    straight, resumed = make(context), make(context)
    first = straight.collect(1)
    assert context.ledger.tokens_generated > 0
    spent = context.ledger.tokens_generated
    second, after = straight.collect(2), resumed.collect(2)
    assert context.ledger.tokens_generated == spent
    assert [s.ids for s in flat(second.sequences)] == [s.ids for s in flat(after.sequences)]
    assert first.sequences != second.sequences


def test_nothing_right_or_nothing_to_pair_is_said_in_one_line(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftgym.episodes.DecisionRecord.solved", False)
    with pytest.raises(ConfigError, match="rft: none of the answers to 12 problems was right"):
        RFT(context, RFTSettings(**SMALL)).collect(1)
    with pytest.raises(ConfigError, match="dpo: no problem of 12 had both right and wrong answers"):
        DPO(context, DPOSettings(**SMALL)).collect(1)
    fresh = RFT(context, RFTSettings(batch=8, refresh=True, **SMALL)).collect(1)
    assert (fresh.sequences, fresh.metrics) == ([], {"success": 0.0})


def test_trajectories_may_hold_failed_attempts_before_the_right_one(context: Context) -> None:
    recipe = RFT(context, RFTSettings(batch=12, group_size=64, limit=3, **SMALL))
    sequences = flat(recipe.collect(1).sequences)
    assert max(len(sequence.spans) for sequence in sequences) > 1
    for sequence in sequences:
        last = replace(sequence, spans=sequence.spans[-1:])
        assert right(context, last)
        assert not any(right(context, replace(sequence, spans=[span])) for span in sequence.spans[:-1])


def test_refreshed_answers_are_those_of_the_present_model(context: Context) -> None:
    recipe = RFT(context, RFTSettings(batch=8, group_size=64, refresh=True, **SMALL))
    before = recipe.collect(1)
    assert all(right(context, sequence) for sequence in flat(before.sequences))
    assert 0 < before.metrics["success"] < 1
    disturb(context)
    assert recipe.collect(1).metrics != before.metrics


def test_a_share_of_every_batch_is_rehearsed(context: Context) -> None:
    recipe = Replay(context, ReplaySettings(batch=8, share=0.25, **SMALL))
    learned = flat(recipe.collect(1).sequences)
    assert len(learned) == 8
    assert all(right(context, sequence) for sequence in learned[:6])
    assert not all(right(context, sequence) for sequence in learned[6:]), "its own answers are kept, right or wrong"


def test_dpo_has_the_gradient_of_its_loss(context: Context) -> None:
    settings = DPOSettings(batch=4, group_size=64, beta=0.7, **SMALL)
    recipe = DPO(context, settings)
    start = recipe.collect(1)
    assert start.metrics["margin"] == pytest.approx(0, abs=1e-4)
    assert start.metrics["dpo_loss"] == pytest.approx(0.6931, abs=1e-4)
    disturb(context)
    collection = recipe.collect(1)
    learned = flat(collection.sequences)
    assert [right(context, sequence) for sequence in learned] == [True, False] * (len(learned) // 2)
    assert all(a.ids[:4] == b.ids[:4] for a, b in zip(learned[::2], learned[1::2], strict=True)), "of one problem"
    batch = one_pass(learned)
    found = gradient(context, recipe.loss(batch)[0])

    scores = score(context.model, batch.packed, batch.predictors, batch.targets)
    ratios: dict[int, torch.Tensor] = {}
    at = 0
    for member in batch.members:
        size = learned[member].answer_tokens
        ratios[member] = scores.logprobs[at : at + size].sum() - sum(learned[member].logprobs)
        at += size
    margins = torch.stack([0.7 * (ratios[i] - ratios[i + 1]) for i in range(0, len(learned), 2)])
    loss = -logsigmoid(margins).mean()
    assert collection.metrics["dpo_loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert torch.allclose(found, gradient(context, loss), atol=1e-6)


def test_a_failed_answer_is_judged_by_the_model_that_read_the_feedback(context: Context) -> None:
    settings = DistillSettings(episodes_per_iteration=16, max_new_tokens=3, reward_scale=0.5)
    recipe = Distill(context, settings)
    collection = recipe.collect(1)
    learned = flat(collection.sequences)
    failed = [episode for episode in collection.episodes if not episode.success]
    assert len(learned) == len(failed) > 0
    chat_format = context.chat_format
    for sequence in learned:
        ((start, stop),) = sequence.spans
        ids = sequence.ids
        ended = ids[-1] in chat_format.end_ids
        told = [
            *ids,
            *([] if ended else [chat_format.end_id]),
            *chat_format.tokenizer.encode("<user> wrong <end> <answer>"),
        ]
        again = torch.tensor([[*told, *ids[start:stop]]])
        log_softmax = context.model(input_ids=again).logits.log_softmax(-1)[0]
        taught = [log_softmax[len(told) + k - 1, ids[start + k]].item() for k in range(stop - start)]
        gains = [0.5 * (now - then) for now, then in zip(taught, sequence.logprobs, strict=True)]
        assert sequence.advantages == pytest.approx(gains, abs=1e-4)
        assert len(sequence.reference) == stop - start
