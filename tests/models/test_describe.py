"""What is told of a model follows from the model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.families import text_model

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.describe import describe
from shiftgym.models.footprint import ModelMemory
from shiftgym.models.loading.load import load_policy


def test_a_text_model(saved: Path) -> None:
    model, chat_format = load_policy(str(saved), dtype="bfloat16")
    about = describe(model, chat_format)
    assert (about.family, about.architecture, about.sees) == ("llama", "LlamaForCausalLM", False)
    assert about.path.fast and about.path.trees
    layer = 4 * 32 * 32 + 3 * 32 * 48 + 2 * 32
    assert about.parameters == {"decoder": 350 * 32 + 2 * layer + 32}
    assert about.total == about.trainable and about.tied
    assert about.weights == {"bfloat16": 2 * about.total}
    # Keys and values of 32 numbers of 2 bytes in 2 layers.
    assert (about.cache, about.state, about.positions) == (2 * 32 * 2 * 2, 0, 1024)
    assert about.lora["q_proj"] == 2 * (32 + 32) and about.lora["down_proj"] == 2 * (48 + 32)
    assert "lm_head" not in about.lora
    assert about.attention in about.kernels and "eager" in about.kernels
    assert (about.end, about.stops, about.opening) == ("<|eot_id|>", ["<|end_of_text|>"], "")


def test_a_model_that_sees(tiny_seeing: Any) -> None:
    about = describe(tiny_seeing[0], ChatFormat.of(*tiny_seeing))
    assert about.sees
    assert set(about.parameters) == {"vision", "projector", "decoder"}
    assert about.total == sum(weight.numel() for weight in tiny_seeing[0].parameters())


def test_a_recurrent_model_keeps_a_state_and_nothing_by_token(make_tiny: Any) -> None:
    from transformers import AutoModelForCausalLM, MambaConfig

    _, tokenizer = make_tiny("qwen2")
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        config = MambaConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, state_size=4)
        model = AutoModelForCausalLM.from_config(config).eval()
    about = describe(model, ChatFormat.of(model, tokenizer))
    assert not about.path.fast and "linear attention layers" in about.path.why
    assert about.cache == 0 and about.state > 0
    assert about.kernels == ["eager"]


def test_linear_layers_that_hold_their_weight_transposed() -> None:
    about = describe(*text_model("GPT-2"))
    assert about.lora == {"c_attn": 2 * (32 + 96), "c_proj": 2 * (32 + 32) + 2 * (128 + 32), "c_fc": 2 * (32 + 128)}


def test_quantised_weights_are_not_trainable(saved: Path) -> None:
    model, chat_format = load_policy(str(saved))
    model.is_quantized = True
    assert describe(model, chat_format).trainable == 0


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma", "gemma2"])
def test_the_cache_that_is_measured_is_the_one_that_is_planned(kind: str, make_tiny: Any) -> None:
    model, tokenizer = make_tiny(kind)
    assert describe(model, ChatFormat.of(model, tokenizer)).cache == ModelMemory.of(model).cache
