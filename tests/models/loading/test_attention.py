"""The attention kernel that a user chose."""

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from shiftgym.errors import ConfigError
from shiftgym.models.loading.attention import attend_by
from shiftgym.models.loading.load import load_policy


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_model_attends_as_asked(tiny_points, attention):
    model, _ = load_policy(str(tiny_points), attention=attention)
    assert model.config._attn_implementation == attention
    assert model(torch.tensor([[1, 2, 3]])).logits.isfinite().all()


def test_auto_is_the_choice_of_the_model(tiny_points):
    assert load_policy(str(tiny_points))[0].config._attn_implementation == "sdpa"


def test_a_kernel_that_is_not_installed_is_one_line(tiny_points):
    with pytest.raises(ConfigError, match="^attention 'flash_attention_3' cannot be used with llama: ") as caught:
        load_policy(str(tiny_points), attention="flash_attention_3", dtype="bfloat16")
    assert str(caught.value).endswith("; give another kernel, or auto")
    assert "\n" not in str(caught.value)


def test_flash_attention_takes_16_bits_only(tiny_points):
    with pytest.raises(ConfigError, match="computes in 16 bits only; give dtype bfloat16"):
        load_policy(str(tiny_points), attention="flash_attention_2")


def test_a_model_whose_attention_is_its_own_is_told():
    model = BloomForCausalLM(BloomConfig(vocab_size=16, hidden_size=8, n_layer=1, n_head=2))
    with pytest.raises(ConfigError, match="^attention 'sdpa'.*bloom"):
        attend_by(model, "sdpa")
