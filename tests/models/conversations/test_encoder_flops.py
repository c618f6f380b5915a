"""The FLOPs of an encoder are those of the model, also by a copy without weights."""

import copy
from typing import Any

import pytest
import torch

from shiftgym.models.conversations.encoder_flops import EncoderFlops
from shiftgym.models.parts import freeze
from shiftgym.models.sharding import hollow


@pytest.mark.parametrize("frozen", [(), ("vision",)])
def test_a_hollow_model_takes_as_many(tiny_seeing: Any, frozen: tuple[str, ...]) -> None:
    model, processor = copy.deepcopy(tiny_seeing[0]), tiny_seeing[1]
    freeze(model, frozen)
    prepared = processor.image_processor([torch.zeros(3, 32, 32)], return_tensors="pt")
    inputs = {name: value for name, value in prepared.items() if torch.is_tensor(value)}
    taken = {name: value for name, value in inputs.items() if name in ("pixel_values", "image_grid_thw")}
    trained = tuple(weight.requires_grad for weight in model.base_model.parameters())
    counted = [EncoderFlops(each, None) for each in (model, hollow(model, torch.device("cpu")))]
    assert counted[0].of(taken) == counted[1].of(taken) > 0
    assert counted[0].of(taken, trained) == counted[1].of(taken, trained) > 0
    assert len(counted[0]._known) == 2
