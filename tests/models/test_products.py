"""The product of the output embeddings where a GPU may round it; here it is computed by the CPU, which does not."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from shiftgym.models import score
from shiftgym.models.products import RoundedProduct, may_round


@pytest.mark.parametrize(("of_states", "of_weight"), [(True, True), (True, False), (False, True)])
def test_values_and_gradients_are_those_of_a_linear_layer(of_states: bool, of_weight: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(6, 9, bias=False).requires_grad_(of_weight)
    states = torch.randn(5, 6, generator=generator).requires_grad_(of_states)
    weighed = torch.randn(5, 9, generator=generator)
    found = []
    for product in (layer(states), RoundedProduct.apply(states, layer.weight)):
        layer.weight.grad = states.grad = None
        (product * weighed).sum().backward()
        found.append((product.detach(), states.grad, layer.weight.grad))
    for plain, rounded in zip(*found, strict=True):
        assert (plain is None) == (rounded is None)
        if plain is not None:
            torch.testing.assert_close(rounded, plain)
    assert torch.get_float32_matmul_precision() == "highest"


def test_only_float32_weights_on_a_gpu_in_a_pass_of_bfloat16_are_rounded() -> None:
    def layer(dtype: torch.dtype = torch.float32, *, gpu: bool = True, bias: Any = None) -> Any:
        made = nn.Linear(2, 2, bias=False)
        del made.weight, made.bias
        made.__dict__ |= {"weight": SimpleNamespace(is_cuda=gpu, dtype=dtype), "bias": bias}
        return made

    assert may_round(layer(), torch.bfloat16)
    assert not may_round(layer(), torch.float32)
    assert not may_round(layer(torch.bfloat16), torch.bfloat16)
    assert not may_round(layer(gpu=False), torch.bfloat16)
    assert not may_round(layer(bias=0.0), torch.bfloat16)
    assert not may_round(nn.Identity(), torch.bfloat16)


def test_logits_are_the_same_either_way(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_llama
    hidden = torch.randn(4, model.config.hidden_size, generator=torch.Generator().manual_seed(0))
    plain = score.logits(model, hidden, torch.bfloat16)
    monkeypatch.setattr(score, "may_round", lambda head, precision: precision == torch.bfloat16)
    torch.testing.assert_close(score.logits(model, hidden, torch.bfloat16), plain)
