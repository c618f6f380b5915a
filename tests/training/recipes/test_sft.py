from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.training.loop import Limits, Loop
from shiftgym.training.recipes.sft import SFT


def distributions(bench: Any, batch: Any) -> torch.distributions.Categorical:
    """That of each answer token, by the model's own logits."""
    with torch.no_grad():
        logits = bench.model(input_ids=batch.packed.ids).logits
    return torch.distributions.Categorical(logits=logits[batch.predictors])


def test_it_learns_the_experts_answer_and_its_end(bench: Any) -> None:
    for conversation in bench.collected(bench.make(SFT, batch=5, problems=20)):
        ((start, stop),) = conversation.spans
        prompt, answer = conversation.ids[:start], conversation.ids[start:stop]
        assert answer == [prompt[2], bench.chat_format.end_id]
        assert stop == len(conversation.ids)


def test_the_loss_is_the_mean_over_answer_tokens(bench: Any) -> None:
    recipe = bench.make(SFT, batch=6)
    batch = bench.one_pass(bench.collected(recipe))
    ids, labels = batch.packed.ids, torch.full_like(batch.packed.ids, -100)
    labels[batch.predictors[0], batch.predictors[1] + 1] = batch.targets
    expected = bench.model(input_ids=ids, labels=labels).loss
    assert bench.loss(recipe, batch)[0].item() == pytest.approx(expected.item(), abs=1e-5)


def test_kl_is_that_of_the_whole_vocabulary_and_is_paid_for(bench: Any) -> None:
    recipe = bench.make(SFT, batch=6, problems=20, kl=2.0)
    batch = bench.one_pass(bench.collected(recipe))
    plain, metrics = bench.loss(bench.make(SFT, batch=6), batch)
    assert metrics == {}
    loss, metrics = bench.loss(recipe, batch)
    assert metrics["kl"].item() == pytest.approx(0, abs=1e-6)
    assert loss.item() == pytest.approx(plain.item(), abs=1e-5)
    before = distributions(bench, batch)
    bench.disturb()
    loss, metrics = bench.loss(recipe, batch)
    now = distributions(bench, batch)
    divergence = torch.distributions.kl_divergence(now, before)
    assert metrics["kl"].item() == pytest.approx(divergence.mean().item(), rel=1e-4) != 0
    assert loss.item() == pytest.approx((-now.log_prob(batch.targets).mean() + 2 * divergence.mean()).item(), rel=1e-4)


def test_the_start_is_charged_where_kl_reads_it(bench: Any, tmp_path: Path) -> None:
    plain, paid = (bench.make(SFT, batch=6, problems=20, kl=kl) for kl in (0.0, 2.0))
    spent = []
    for recipe in (plain, paid):
        before = bench.ledger.forward_flops
        Loop(recipe, tmp_path, Limits(steps=2)).advance()
        spent.append(bench.ledger.forward_flops - before)
    assert spent[1] == 2 * spent[0]
