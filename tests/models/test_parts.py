import copy
from typing import Any

import pytest
from tests.models.seeing_families import Noise

from shiftgym.errors import ConfigError
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.lora import adapt
from shiftgym.models.parts import freeze, parts_of


@pytest.mark.parametrize("frozen", [(), ("vision",), ("projector",), ("vision", "projector")])
def test_all_but_the_frozen_parts_are_trained(tiny_seeing: Any, frozen: tuple[str, ...]) -> None:
    model = copy.deepcopy(tiny_seeing[0])
    parts = parts_of(model)
    assert set(parts.values()) == {"vision", "projector", "decoder"}
    assert all(name.startswith(("language_model.", "text_model.")) == (parts[name] == "decoder") for name in parts)
    freeze(model, frozen)
    for name, weights in model.base_model.named_parameters():
        assert weights.requires_grad == (parts[name] not in frozen)


def test_there_is_nothing_to_freeze_in_a_model_that_only_reads(tiny_llama: Any) -> None:
    model = tiny_llama[0]
    assert set(parts_of(model).values()) == {"decoder"}
    with pytest.raises(ConfigError, match="frozen: this model has no projector and no vision"):
        freeze(model, ["vision", "projector"])
    assert all(weights.requires_grad for weights in model.parameters())


@pytest.mark.parametrize("frozen", [(), ("vision",), ("projector",), ("vision", "projector")], ids=str)
@pytest.mark.parametrize("lora", [False, True])
def test_the_backward_pass_of_an_encoder_is_that_of_what_is_trained(
    tiny_seeing: Any, frozen: tuple[str, ...], lora: bool
) -> None:
    model, processor = copy.deepcopy(tiny_seeing[0]), tiny_seeing[1]
    chat_format = ChatFormat.of(model, processor)
    freeze(model, frozen)
    if lora:
        adapt(model, rank=2, alpha=4, targets="all-linear", seed=0)
    numbers = chat_format.pictures.order(chat_format.prompt([user("Make 24.", Noise(0))]))
    forward, backward = chat_format.flops(numbers), chat_format.backward_flops(numbers)
    if not frozen:
        assert (0 < backward < 2 * forward) if lora else backward == 2 * forward
    elif len(frozen) == 2:
        assert backward == 0
    elif frozen == ("vision",):
        assert 0 < backward < 0.6 * forward, "the projector alone"
    else:
        assert 0 < backward < 2 * forward, "all but the weights of the projector"
