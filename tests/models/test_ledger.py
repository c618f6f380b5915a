import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.ledger import HeadTokens, Ledger, ModelShape
from shiftgym.models.lora import adapt, frozen_copy
from shiftgym.models.microbatches import microbatches
from shiftgym.models.score import score


@pytest.fixture
def make_model(tiny_llama: Any) -> Callable[[], LlamaForCausalLM]:
    return lambda: copy.deepcopy(tiny_llama[0])


def test_flops_agree_with_torchs_own_count(make_model: Callable[[], LlamaForCausalLM]) -> None:
    model = make_model()
    model.set_attn_implementation("eager")
    (batch,) = microbatches([Conversation([0] * 24, [(10, 24)])] * 4, 10**6, torch.device("cpu"), trees=False)
    forward, both = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with forward, torch.no_grad():
        _ = score(model, batch.packed, batch.predictors, batch.targets).logprobs
    with both:
        score(model, batch.packed, batch.predictors, batch.targets).logprobs.sum().backward()
    ledger = Ledger(ModelShape.of(model))
    ledger.scored(batch, 0)
    assert ledger.flops == pytest.approx(forward.get_total_flops(), rel=0.02)
    assert ledger.tokens_trained == 0
    headless = Ledger(ModelShape.of(model))
    headless.scored(batch, 0, head=HeadTokens(0, 0))
    assert headless.flops == ledger.flops - 2 * ledger.shape.head_weights * 56
    ledger = Ledger(ModelShape.of(model))
    ledger.scored(batch, 0, backward=True)
    assert ledger.flops == pytest.approx(both.get_total_flops(), rel=0.02)
    assert ledger.tokens_trained == 96


def test_pictures_are_learned_from_or_not(make_model: Callable[[], LlamaForCausalLM]) -> None:
    (batch,) = microbatches([Conversation([0] * 24, [(10, 24)])], 10**6, torch.device("cpu"), trees=False)
    text, frozen, seen = (Ledger(ModelShape.of(make_model())) for _ in range(3))
    text.scored(batch, 0, backward=True)
    frozen.scored(batch, 1000, backward=True)
    seen.scored(batch, 1000, backward=True, encoder_backward=700)
    assert (frozen.flops - text.flops, seen.flops - text.flops) == (1000, 1700)


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
    sft, rl = Ledger(shape, tokens_trained=17), Ledger(shape, buffer_factor=6.0, tokens_trained=17)
    assert sft.flops_paper == 6 * shape.parameters * 17
    assert rl.flops_paper == 3 * sft.flops_paper, "an RL token costs three SFT tokens on GeneralPoints"


def test_a_ledger_survives_its_record(make_model: Callable[[], LlamaForCausalLM]) -> None:
    ledger = Ledger(ModelShape.of(make_model()), buffer_factor=6.0, tokens_prompt=3)
    ledger.generated(rows=1, new_tokens=2, context=3, heads=1, sampled=1)
    assert Ledger.load(ledger.record()) == ledger


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("targets", "slack"),
    [("all-linear", 0), (["down_proj"], 0.13), (["q_proj", "v_proj"], 0.05), (r".*layers\.1\..*", 0)],
    ids=str,
)
def test_beside_an_adapter_only_gradients_of_inputs_are_counted(tied: bool, targets: Any, slack: float) -> None:
    """As torch counts them. But the attention of the first layer with an adapter is counted whole, which weighs much in
    a model of three layers."""
    config = LlamaConfig(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=tied, attn_implementation="eager",
    )  # fmt: skip
    with torch.random.fork_rng():
        model = LlamaForCausalLM(config)
    whole = ModelShape.of(model)
    adapt(model, rank=4, alpha=8, targets=targets, seed=0)
    (batch,) = microbatches([Conversation([0] * 24, [(10, 24)])] * 4, 10**6, torch.device("cpu"), trees=False)
    forward, both = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with forward, torch.no_grad():
        _ = score(model, batch.packed, batch.predictors, batch.targets).logprobs
    with both:
        score(model, batch.packed, batch.predictors, batch.targets).logprobs.sum().backward()
    ledger, kept = Ledger(ModelShape.of(model)), Ledger(ModelShape.of(model))
    ledger.scored(batch, 0, backward=True)
    assert ledger.forward_flops == forward.get_total_flops()
    backward = both.get_total_flops() - forward.get_total_flops()
    assert backward <= ledger.backward_flops <= backward * (1 + slack + 1e-9)
    assert ledger.shape.parameters == whole.parameters, "the paper's N knows no adapter"
    with FlopCounterMode(display=False) as without, torch.no_grad():
        _ = score(frozen_copy(model), batch.packed, batch.predictors, batch.targets).logprobs
    kept.scored(batch, 0, adapted=False)
    assert kept.flops == without.get_total_flops() < ledger.forward_flops


def test_beside_a_small_adapter_a_token_costs_two_thirds() -> None:
    """About 4 N in place of 6 N."""
    sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 8, "vocab_size": 512}
    with torch.random.fork_rng():
        model = LlamaForCausalLM(LlamaConfig(num_attention_heads=4, tie_word_embeddings=True, **sizes))
    whole = ModelShape.of(model)
    adapt(model, rank=1, alpha=2, targets="all-linear", seed=0)
    work = {"rows": 1, "new_tokens": 32, "context": 32, "head_positions": 32}
    spent = [shape.forward_flops(**work) + shape.backward_flops(**work) for shape in (whole, ModelShape.of(model))]
    assert spent[1] / spent[0] == pytest.approx(2 / 3, abs=0.02)
