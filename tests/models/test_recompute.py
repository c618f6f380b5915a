"""Gradient checkpointing keeps less and gives the same gradients, without turning dropout on."""

import copy

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from shiftgym.errors import ConfigError
from shiftgym.models.recompute import check_recomputable, recomputed

LAYERS = 3


@pytest.fixture(scope="module")
def llama():
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=48, num_hidden_layers=LAYERS, num_attention_heads=2,
        attention_dropout=0.5,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.3, generator=generator)
    return model


def learned(model, again):
    """Loss, gradients, and the numbers kept for the backward pass that are no weights, of one pass."""
    model, kept = copy.deepcopy(model), {}
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(tensor):
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.arange(20).view(2, 10)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        if again:
            with recomputed(model):
                states = model.base_model(ids, use_cache=False).last_hidden_state
        else:
            states = model.base_model(ids, use_cache=False).last_hidden_state
    held = sum(kept.values())
    loss = states.square().sum()
    loss.backward()
    assert not model.training
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return loss.detach(), gradients, held


def test_less_is_kept_and_gradients_are_equal(llama):
    plain, again = learned(llama, again=False), learned(llama, again=True)
    assert torch.equal(plain[0], again[0])
    assert plain[1].keys() == again[1].keys()
    assert all(torch.equal(plain[1][name], again[1][name]) for name in plain[1])
    # A layer keeps its input, 16 numbers a token, of the 300 or so that it computes.
    assert again[2] < plain[2] / 4


def test_weights_below_the_embeddings_learn_where_no_input_has_a_gradient(llama):
    """As with an adapter: the embeddings are frozen, so no layer's input asks for a gradient."""
    model = copy.deepcopy(llama)
    model.requires_grad_(False)
    model.model.layers[0].self_attn.q_proj.requires_grad_(True)
    plain, again = learned(model, again=False), learned(model, again=True)
    (name,) = plain[1]
    assert plain[1][name].abs().sum() > 0
    assert torch.equal(plain[1][name], again[1][name])


def test_the_model_is_left_as_it_was(llama):
    before = [layer.forward for layer in llama.model.layers]
    own = llama.model.layers[1]
    own.forward = before[1]
    with recomputed(llama):
        assert all(layer.forward != known for layer, known in zip(llama.model.layers, before, strict=True))
        copied = copy.deepcopy(llama)
    assert [layer.forward for layer in llama.model.layers] == before
    assert [*vars(llama.model.layers[0])] == [*vars(LlamaForCausalLM(llama.config).model.layers[0])]
    assert vars(own)["forward"] == before[1]
    del own.forward
    assert copied is not llama


def test_a_model_without_such_layers_is_told(llama):
    check_recomputable(llama)
    model = copy.deepcopy(llama)
    model.model.layers = nn.ModuleList()
    with pytest.raises(ConfigError, match="^gradient_checkpointing: llama models have no layers that can run again"):
        check_recomputable(model)
