from typing import Any

import pytest
import torch
from torch.nn.functional import logsigmoid

from shiftgym.errors import ConfigError
from shiftgym.models.score import score
from shiftgym.training.recipes.dpo import DPO

SMALL: dict[str, Any] = {"problems": 12, "max_new_tokens": 3}


def test_it_has_the_gradient_of_its_loss(bench: Any) -> None:
    recipe = bench.make(DPO, batch=4, group_size=64, beta=0.7, **SMALL)
    start = recipe.collect(1)
    assert start.metrics["margin"] == pytest.approx(0, abs=1e-4)
    assert start.metrics["dpo_loss"] == pytest.approx(0.6931, abs=1e-4)
    bench.disturb()
    metrics, learned = recipe.collect(1).metrics, bench.collected(recipe)
    assert [bench.right(conversation) for conversation in learned] == [True, False] * (len(learned) // 2)
    assert all(a.ids[:4] == b.ids[:4] for a, b in zip(learned[::2], learned[1::2], strict=True)), "of one problem"
    batch = bench.one_pass(learned)
    found = bench.gradient(bench.loss(recipe, batch)[0])

    scores = score(bench.model, batch.packed, batch.predictors, batch.targets)
    ratios: dict[int, torch.Tensor] = {}
    at = 0
    for member in batch.members:
        size = learned[member].answer_tokens
        ratios[member] = scores.logprobs[at : at + size].sum() - sum(learned[member].logprobs)
        at += size
    margins = torch.stack([0.7 * (ratios[i] - ratios[i + 1]) for i in range(0, len(learned), 2)])
    loss = -logsigmoid(margins).mean()
    assert metrics["dpo_loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert metrics["margin"] == pytest.approx(margins.mean().item(), rel=1e-4)
    assert metrics["preferred"] == pytest.approx((margins > 0).float().mean().item())
    assert torch.allclose(found, bench.gradient(loss), atol=1e-6)


def test_nothing_to_pair_is_said_in_one_line(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftgym.episodes.DecisionRecord.solved", False)
    with pytest.raises(ConfigError, match="dpo: no problem of 12 had both right and wrong answers"):
        bench.make(DPO, **SMALL).collect(1)
