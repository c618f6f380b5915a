"""What a model takes at work, against what is really allocated."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    DeepseekV3Config,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MixtralConfig,
    MllamaConfig,
    Phi3Config,
    PreTrainedModel,
    Qwen3Config,
    Qwen3NextConfig,
)

from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.models.footprint import ModelMemory
from shiftgym.models.generation.generate import ModelChat, ModelPolicy
from shiftgym.models.lora import adapt
from shiftgym.models.recompute import recomputed

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "vocab_size": 200,
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id")),
}

KINDS: dict[str, Any] = {
    "llama": LlamaConfig(**SIZES, num_key_value_heads=2),
    "qwen3": Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=32),
    "gemma2": Gemma2Config(**SIZES, num_key_value_heads=2, head_dim=32),
    "phi3": Phi3Config(**SIZES, num_key_value_heads=4),
    "mixtral": MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=4),
    "gpt2": GPT2Config(n_embd=256, n_layer=4, n_head=8, vocab_size=200, bos_token_id=None, eos_token_id=None),
}


def kept(model: PreTrainedModel, rows: int, tokens: int) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights left out."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    stores: dict[int, int] = {}
    alive: list[Tensor] = []

    def keep(saved: Tensor) -> Tensor:
        alive.append(saved)
        if (store := saved.untyped_storage()).data_ptr() not in own:
            stores[store.data_ptr()] = store.nbytes()
        return saved

    ids = torch.randint(200, (rows, tokens), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    assert states.requires_grad
    return sum(stores.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("learned", ["weights", "adapter"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_layers_keep_is_estimated_within_a_factor_of_1_6(kind: str, learned: Any, dtype: torch.dtype) -> None:
    if learned == "adapter" and kind in ("gpt2", "mixtral"):
        pytest.skip("its layers are not all linear ones")
    model = AutoModelForCausalLM.from_config(KINDS[kind], dtype=dtype).eval()
    if learned == "adapter":
        adapt(model, rank=8, alpha=8, targets="all-linear", seed=0)
    decoder = ModelMemory.of(model).decoder
    estimate = decoder.kept(dtype.itemsize, learned) * decoder.layers * 4 * 64
    assert 1 / 1.6 < estimate / kept(model, 4, 64) < 1.6


def test_gradient_checkpointing_keeps_the_inputs_of_layers_and_one_layer() -> None:
    memory = ModelMemory.of(AutoModelForCausalLM.from_config(KINDS["llama"]).eval())
    sizes = ConversationSizes(prompt=60, pictures=0, answer=4, attempts=1, feedback=0)
    one = memory.decoder.kept(4, "weights") * 64
    for again, expected in ((False, 4 * one), (True, one + 4 * 256 * 4 * 64)):
        found, logits = memory.training(
            sizes, 64, width=4, learned="weights", seeing="weights", gradient_checkpointing=again, device="cpu"
        )
        assert found == expected
        assert logits == 4 * 200 * 4 * 5


def test_checkpointed_layers_keep_little() -> None:
    model = AutoModelForCausalLM.from_config(KINDS["llama"]).eval()
    whole = kept(model, 4, 64)
    with recomputed(model):
        assert kept(model, 4, 64) < 0.1 * whole


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma", "gemma2"])
def test_a_token_of_the_cache_takes_what_is_allocated(make_tiny: Any, name: str) -> None:
    model, tokenizer = make_tiny(name)
    policy = ModelPolicy(model, ChatFormat(tokenizer), temperature=1.0, max_new_tokens=4, seed=0)
    chat = ModelChat(policy, [[user("Make 24.")]] * 3, [["test", row] for row in range(3)])
    chat.reply(range(3), [[], [], []])
    cache = chat._cache
    stored = sum(store.nbytes for layer in cache.layers for store in (layer.keys, layer.values) if store is not None)
    assert stored == 3 * cache.capacity * ModelMemory.of(model).cache


def cached_by_itself(model: PreTrainedModel, tokens: int) -> int:
    """Bytes that the model's own cache has after so many tokens."""
    with torch.no_grad():
        cache = model(torch.zeros(1, tokens, dtype=torch.long), use_cache=True).past_key_values
    stores = [getattr(layer, name, None) for layer in cache.layers for name in ("keys", "values")]
    return sum(store.nbytes for store in stores if store is not None)


def test_latent_attention_and_hybrids_cache_what_their_layers_do() -> None:
    latent = DeepseekV3Config(
        **SIZES, num_key_value_heads=8, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=20, kv_lora_rank=16,
        q_lora_rank=16, n_routed_experts=4, num_experts_per_tok=2, n_group=2, topk_group=1, moe_intermediate_size=32,
        first_k_dense_replace=1,
    )  # fmt: skip
    hybrid = Qwen3NextConfig(
        **SIZES, num_key_value_heads=2, head_dim=32, linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=16, linear_value_head_dim=16, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=32, shared_expert_intermediate_size=32,
    )  # fmt: skip
    for config, least in ((latent, 0), (hybrid, 1)):
        model = AutoModelForCausalLM.from_config(config).eval()
        more, most = cached_by_itself(model, 12) - cached_by_itself(model, 10), 2 * ModelMemory.of(model).cache
        assert least * most <= more <= most, "latent attention may be cached as it is, which takes less"


@pytest.mark.parametrize(("side", "picture"), [(448, 134e6), (560, 210e6)])
def test_llama_3_2_vision_takes_what_is_known_of_it(side: int, picture: float) -> None:
    config = MllamaConfig()
    config.vision_config.image_size = side
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    memory = ModelMemory.of(model)
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(10.65e9, rel=0.01)
    assert memory.cache == 131072, "131 kB a token in 32 layers of self-attention"
    assert memory.picture_cache == pytest.approx(picture, rel=0.01), "four tiles in 8 layers of cross-attention"
    assert memory.encoder is not None
    assert (memory.encoder.layers, memory.picture_tokens) == (40, 1)
