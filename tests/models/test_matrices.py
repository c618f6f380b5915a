"""Which matrices a token goes through."""

from typing import Any

import pytest
from tests.models.families import make_text_model
from torch import nn

from shiftgym.models.matrices import attention_width, matrix_weights


def test_linear_layers_but_not_the_output_embeddings(tiny: Any) -> None:
    model = tiny[0]
    linear = {module for module in model.get_decoder().modules() if isinstance(module, nn.Linear)}
    found = matrix_weights(model)
    assert set(found) == linear
    assert all(count == module.weight.numel() for module, count in found.items())
    assert model.get_output_embeddings() not in found


@pytest.mark.parametrize(("family", "share"), [("Mixtral", 0.5), ("GPT-OSS", 0.5), ("Llama 4 (text)", 1.0)])
def test_of_experts_those_count_that_are_computed(family: str, share: float) -> None:
    """Two of four are chosen; Llama 4 computes all."""
    found = matrix_weights(make_text_model(family))
    stacked = {m: n for m, n in found.items() if not isinstance(m, nn.Linear) and type(m).__name__.endswith("Experts")}
    assert stacked
    for module, count in stacked.items():
        assert count == share * sum(w.numel() for w in module.parameters(recurse=False) if w.ndim == 3)


def test_a_layer_that_is_used_twice_counts_twice(make_tiny: Any) -> None:
    model, _ = make_tiny("llama")
    before = sum(matrix_weights(model).values())
    model.model.layers[1] = model.model.layers[0]
    assert sum(matrix_weights(model).values()) == before


@pytest.mark.parametrize(
    ("family", "width"),
    [
        ("Llama", 64), ("Qwen3", 128), ("Gemma 2", 128), ("Qwen3-Next", 64), ("Falcon-H1", 64), ("Mamba", 0),
        ("RWKV", 0), ("GPT-Neo", 64), ("DeepSeek-V3", 96),
    ],
)  # fmt: skip
def test_heads_of_layers_that_attend_to_all_tokens(family: str, width: int) -> None:
    """Two layers of 32 or 64 in most. Of DeepSeek-V3's four heads keys have 16 and values 8 numbers: 12 on the mean."""
    assert attention_width(make_text_model(family)) == width
