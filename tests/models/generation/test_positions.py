"""How many tokens a model takes."""

import sys
from typing import Any

import pytest
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    RwkvConfig,
)

from shiftgym.models.generation.positions import position_limit, tell_limit

SIZE = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 50, "rope_theta": 1e4}


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=2, n_positions=50), 50),
        (OPTConfig(**SIZE, ffn_dim=8, word_embed_proj_dim=8, max_position_embeddings=50), 50),
        (LlamaConfig(**SIZE, intermediate_size=8, max_position_embeddings=50), 50),
        (LlamaConfig(**SIZE, intermediate_size=8, max_position_embeddings=50, rope_parameters=YARN), 200),
        (BloomConfig(**SIZE), sys.maxsize),
        (FalconConfig(**SIZE, alibi=True, max_position_embeddings=50), sys.maxsize),
        (RwkvConfig(**SIZE | {"num_hidden_layers": 2}, context_length=50), sys.maxsize),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else "",
)
def test_the_limit_is_that_of_the_configuration(config: Any, limit: int) -> None:
    assert position_limit(AutoModelForCausalLM.from_config(config)) == limit


def test_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell_limit.cache_clear()
    for _ in range(3):
        tell_limit("gpt2", 50)
    assert capsys.readouterr().err.count("longer than the 50 tokens that gpt2 takes") == 1
