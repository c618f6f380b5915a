"""Attention of one new token a row."""

from typing import Any

import pytest
import torch

from shiftgym.models.generation.decoding import by_kernel, by_products, decoding


@pytest.mark.parametrize("one", [by_products, by_kernel])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_attention_of_one_token_is_torchs_attention(one: Any, groups: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(3, 4, 1, 8, generator=generator)
    key, value = (torch.randn(3, groups, 5, 8, generator=generator) for _ in range(2))
    mask = torch.zeros(3, 1, 1, 5)
    mask[0, ..., 3:] = torch.finfo(torch.float32).min
    found = one(query, key, value, mask, 0.3)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(4 // groups, 1), value.repeat_interleave(4 // groups, 1), mask, scale=0.3
    )
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "used"),
    [("sdpa", "shiftgym"), ("eager", "eager"), ("flash_attention_2", "shiftgym"), ("kernels-community/fa", "shiftgym")],
)
def test_decoding_leaves_the_model_as_it_was(
    tiny_llama: Any, monkeypatch: pytest.MonkeyPatch, kernel: str, used: str
) -> None:
    model, _ = tiny_llama
    monkeypatch.setattr(model.config, "_attn_implementation", kernel)
    model.train(True)
    with decoding(model):
        assert not model.training
        assert model.config._attn_implementation == used
    assert model.training and model.config._attn_implementation == kernel
    model.train(False)
