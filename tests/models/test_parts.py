import copy
from typing import Any

import pytest

from shiftgym.errors import ConfigError
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
