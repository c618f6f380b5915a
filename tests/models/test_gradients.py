"""Which gradients a backward pass computes, as torch counts them."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from shiftgym.models.gradients import Gradients
from shiftgym.models.lora import adapt
from shiftgym.models.parts import freeze


def linear(model: PreTrainedModel) -> dict[str, nn.Linear]:
    return {name: module for name, module in model.get_decoder().named_modules() if isinstance(module, nn.Linear)}


def test_all_of_a_model_that_is_trained_whole(tiny: Any) -> None:
    model = tiny[0]
    gradients = Gradients.of(model)
    assert (gradients.layers, gradients.of_head) == (2, 2)
    assert {gradients.of_matrices(module) for module in linear(model).values()} == {2}


def test_none_of_a_model_that_is_not_trained(tiny: Any) -> None:
    model = copy.deepcopy(tiny[0]).requires_grad_(False)
    gradients = Gradients.of(model)
    assert (gradients.layers, gradients.of_head) == (0, 0)
    assert {gradients.of_matrices(module) for module in linear(model).values()} == {0}


def test_beside_an_adapter_a_frozen_layer_only_passes_the_gradient_on(tiny: Any) -> None:
    """Of the first layer's projections that read the frozen embeddings, only the adapters have any."""
    model = copy.deepcopy(tiny[0])
    adapt(model, rank=2, alpha=4, targets="all-linear", seed=0)
    gradients = Gradients.of(model)
    assert (gradients.layers, gradients.of_head) == (2, 1)
    for name, module in linear(model).items():
        first = name.startswith("layers.0.self_attn.") and "o_proj" not in name
        expected = {"base_layer": 0 if first else 1, "lora_A": 1 if first else 2, "lora_B": 2}
        assert gradients.of_matrices(module) == next(n for part, n in expected.items() if part in name), name


def test_nothing_runs_backward_before_the_first_trained_layer(tiny: Any) -> None:
    model = copy.deepcopy(tiny[0])
    adapt(model, rank=2, alpha=4, targets=r".*layers\.1\.mlp\..*", seed=0)
    gradients = Gradients.of(model)
    assert gradients.layers == 1
    reached = {name for name, module in linear(model).items() if gradients.of_matrices(module)}
    assert not any(name.startswith("layers.0.") or "self_attn" in name for name in reached)
    assert "layers.1.mlp.down_proj.base_layer" in reached
    assert "layers.1.mlp.up_proj.base_layer" not in reached


@pytest.mark.parametrize("frozen", [(), ("vision",), ("vision", "projector")])
def test_the_gradient_goes_on_to_the_pictures_that_are_learned(tiny_seeing: Any, frozen: tuple[str, ...]) -> None:
    model = copy.deepcopy(tiny_seeing[0])
    freeze(model, frozen)
    adapt(model, rank=2, alpha=4, targets="all-linear", seed=0)
    gradients = Gradients.of(model)
    first = next(module for name, module in linear(model).items() if "layers.0.self_attn.q_proj.base_layer" in name)
    assert gradients.of_matrices(first) == (1 if len(frozen) < 2 else 0)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    with torch.no_grad():
        assert model.get_decoder()(input_ids=torch.zeros(1, 1, dtype=torch.long)).last_hidden_state.isfinite().all()
