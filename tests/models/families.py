"""Tiny random models of many families of text, and the table of docs/models.md, which is made from them.

`python -m tests.models.families docs/models.md` writes the table.
"""

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tests.models.conftest import FAMILIES, tiny_tokenizer
from tests.models.seeing_families import SEEING_FAMILIES, save_seeing
from transformers import CONFIG_MAPPING, PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.paths import reading_path
from shiftgym.models.loading.load import load_policy

MARK = "<!-- families -->"
"""Stands before and behind the table."""

WINDOW = 16
"""Tokens of a sliding window or a chunk; all conversations of the tests are longer."""

EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
TURNS = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
STATES = {
    "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 16,
}  # fmt: skip
DELTA = {
    "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}  # fmt: skip
LATENT = {
    "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 8, "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
}  # fmt: skip

TEXT: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("llama", {}),
    "Qwen2": ("qwen2", {}),
    "Qwen3": ("qwen3", {"head_dim": 16}),
    "Qwen3-MoE": ("qwen3_moe", {"head_dim": 16, **EXPERTS}),
    "Mixtral": ("mixtral", EXPERTS),
    "Mistral with a window": ("mistral", {"sliding_window": WINDOW}),
    "Gemma 2": ("gemma2", {"head_dim": 16, **TURNS}),
    "Gemma 3 (text)": ("gemma3_text", {"head_dim": 16, **TURNS}),
    "Gemma 3n (text)": (
        "gemma3n_text",
        {
            "head_dim": 16, "sliding_window": WINDOW, "num_hidden_layers": 4, "num_kv_shared_layers": 2,
            "layer_types": TURNS["layer_types"] * 2, "hidden_size_per_layer_input": 8, "laurel_rank": 8,
            "altup_num_inputs": 2, "activation_sparsity_pattern": [0.0] * 4,
        },
    ),
    "Phi-3": ("phi3", {}),
    "Granite": ("granite", {"logits_scaling": 2.0}),
    "Cohere2": ("cohere2", {"logit_scale": 0.5, **TURNS}),
    "OLMo 2": ("olmo2", {}),
    "GPT-OSS": ("gpt_oss", {"head_dim": 16, **TURNS, **EXPERTS}),
    "DeepSeek-V3": ("deepseek_v3", {**EXPERTS, **LATENT}),
    "GPT-2": ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "Llama 4 (text)": (
        "llama4_text",
        {"head_dim": 8, "intermediate_size_mlp": 48, "attention_chunk_size": WINDOW, "num_hidden_layers": 4, **EXPERTS},
    ),
    "Bloom": ("bloom", {"n_layer": 2, "n_head": 4}),
    "Falcon with ALiBi": ("falcon", {"alibi": True}),
    "GPT-Neo": ("gpt_neo", {"attention_types": [[["global", "local"], 1]], "window_size": WINDOW, "num_layers": 2}),
    "OpenAI GPT": ("openai-gpt", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "Qwen3-Next": ("qwen3_next", {"head_dim": 16, "shared_expert_intermediate_size": 16, **DELTA, **EXPERTS}),
    "LFM2": ("lfm2", {"layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False}),
    "Bamba": ("bamba", {"attn_layer_indices": [1], **STATES}),
    "Falcon-H1": ("falcon_h1", {"mamba_d_ssm": 64, "lm_head_multiplier": 0.5, **STATES}),
    "Granite 4 hybrid": (
        "granitemoehybrid", {"layer_types": ["mamba", "attention"], "shared_intermediate_size": 16, **STATES, **EXPERTS}
    ),
    "Mamba": ("mamba", {"state_size": 8}),
    "RecurrentGemma": (
        "recurrent_gemma", {"block_types": ["recurrent", "attention"], "lru_width": 32, "attention_window_size": WINDOW}
    ),
    "RWKV": ("rwkv", {"attention_hidden_size": 32, "context_length": 512}),
}  # fmt: skip
"""Name of a family -> its `model_type`, and what its configuration has besides the sizes of all."""


@cache
def tokenizer() -> Any:
    return tiny_tokenizer(FAMILIES["qwen2"])


def make_text_model(name: str) -> PreTrainedModel:
    """A model of random weights, large enough to give sharply different answers; always the same."""
    kind, options = TEXT[name]
    size = len(tokenizer())
    sizes = {
        "vocab_size": size, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.3,
        "vocab_size_per_layer_input": size, "pad_token_id": None, "bos_token_id": None,
        "eos_token_id": tokenizer().convert_tokens_to_ids("<|im_end|>"),
    }  # fmt: skip
    config = CONFIG_MAPPING[kind](**{**sizes, **options})
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        return AutoModelForCausalLM.from_config(config).eval()


@cache
def text_model(name: str) -> tuple[PreTrainedModel, ChatFormat]:
    """The same model for everyone who does not change it, with its chat format."""
    model = make_text_model(name)
    return model, ChatFormat(tokenizer(), model.generation_config)


def family_table() -> list[tuple[str, str, str]]:
    """Of each family its name, the path that it takes, and why."""
    found = {name: reading_path(*text_model(name)) for name in TEXT}
    with TemporaryDirectory() as folder:
        for kind, family in SEEING_FAMILIES.items():
            saved = save_seeing(kind, Path(folder) / kind)
            found[f"{family.title}, with pictures"] = reading_path(*load_policy(str(saved)))
    rows = []
    for name, path in found.items():
        shape = "trees in training" if path.trees else "rows in training"
        rows.append((name, f"fast, {shape}" if path.fast else "plain", path.why))
    return rows


def table() -> str:
    """The table as Markdown, between its marks."""
    lines = ["| family | path | why |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in family_table())]
    return "\n".join([MARK, *lines, MARK])


if __name__ == "__main__":
    page = Path(sys.argv[1])
    before, _, after = page.read_text(encoding="utf-8").split(MARK)
    page.write_text(before + table() + after, encoding="utf-8")
