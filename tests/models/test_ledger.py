from collections.abc import Callable

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaForCausalLM

from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.prefixes import Packed, pack_prefix_trees
from shiftgym.models.score import score


def test_flops_agree_with_torchs_own_count(make_model: Callable[[], LlamaForCausalLM]) -> None:
    model = make_model()
    model.set_attn_implementation("eager")
    packed = Packed.of(pack_prefix_trees([[0] * 24] * 4, 0), torch.device("cpu"))
    targets = torch.zeros(56, dtype=torch.long)
    predictors = torch.arange(4).repeat_interleave(14), torch.arange(9, 23).repeat(4)
    forward, both = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with forward, torch.no_grad():
        score(model, packed, predictors, targets)
    with both:
        score(model, packed, predictors, targets).logprobs.sum().backward()
    ledger = Ledger(ModelShape.of(model))
    ledger.scored(rows=4, length=24, head_positions=56)
    assert ledger.flops == pytest.approx(forward.get_total_flops(), rel=0.02)
    ledger = Ledger(ModelShape.of(model))
    ledger.trained(rows=4, length=24, head_positions=56, tokens=96)
    assert ledger.flops == pytest.approx(both.get_total_flops(), rel=0.02)


def test_generation_with_a_cache_agrees_with_torchs_own_count(make_model: Callable[[], LlamaForCausalLM]) -> None:
    model = make_model()
    model.set_attn_implementation("eager")
    counter, ledger = FlopCounterMode(display=False), Ledger(ModelShape.of(model))
    with counter, torch.no_grad():
        cache = model(torch.zeros(3, 10, dtype=torch.long), logits_to_keep=1).past_key_values
        model(torch.zeros(3, 1, dtype=torch.long), past_key_values=cache)
    ledger.generated(rows=3, new_tokens=10, context=10, heads=3, sampled=3)
    ledger.generated(rows=3, new_tokens=1, context=11, heads=3, sampled=2)
    assert ledger.flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert ledger.tokens_generated == 5


def test_the_papers_formula(make_model: Callable[[], LlamaForCausalLM]) -> None:
    shape = ModelShape.of(make_model())
    sft, rl = Ledger(shape), Ledger(shape, buffer_factor=6.0)
    for ledger in (sft, rl):
        ledger.trained(rows=2, length=10, head_positions=5, tokens=17)
    assert sft.flops_paper == 6 * shape.parameters * 17
    assert rl.flops_paper == 3 * sft.flops_paper, "an RL token costs three SFT tokens on GeneralPoints"


def test_a_ledger_survives_its_record(make_model: Callable[[], LlamaForCausalLM]) -> None:
    ledger = Ledger(ModelShape.of(make_model()), buffer_factor=6.0, tokens_prompt=3)
    ledger.generated(rows=1, new_tokens=2, context=3, heads=1, sampled=1)
    assert Ledger.load(ledger.record()) == ledger
