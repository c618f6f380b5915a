"""An adapter lies beside frozen weights, trains as a hand-made one, and is written as peft writes it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from torch.func import functional_call
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import (
    adapt,
    adapter_weights,
    frozen_copy,
    has_adapter,
    load_adapter,
    lora_layers,
    save_adapter,
)

IDS = torch.arange(40)[None]
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.fixture
def model(saved: Path) -> PreTrainedModel:
    return load_policy(str(saved))[0]


def adapted(model: PreTrainedModel, **options: Any) -> PreTrainedModel:
    adapt(model, **{"rank": 4, "alpha": 8, "targets": "all-linear", "seed": 0, **options})
    return model


def disturbed(model: PreTrainedModel) -> PreTrainedModel:
    """The model with an adapter that does something, as after training."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in adapter_weights(adapted(model)).values():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return model


def logits(model: Any) -> Tensor:
    """(1, 40, vocabulary)."""
    with torch.no_grad():
        found: Tensor = model(IDS).logits
    return found


def test_a_new_adapter_adds_nothing_and_is_all_that_is_trained(model: PreTrainedModel) -> None:
    before, kind = logits(model), type(model)
    adapted(model)
    assert type(model) is kind
    assert torch.equal(logits(model), before)
    assert sorted(lora_layers(model)) == sorted(
        f"model.layers.{layer}.{'mlp' if name[0] in 'gud' else 'self_attn'}.{name}"
        for layer in range(2)
        for name in PROJECTIONS
    )
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == set(adapter_weights(model))
    assert len(trained) == 2 * 2 * len(PROJECTIONS)


def test_its_weights_follow_from_the_seed_and_nothing_else(model: PreTrainedModel) -> None:
    state = torch.get_rng_state()
    first = adapter_weights(adapted(copy.deepcopy(model)))
    torch.rand(7)
    again = adapter_weights(adapted(copy.deepcopy(model)))
    other = adapter_weights(adapted(copy.deepcopy(model), seed=1))
    few = adapter_weights(adapted(copy.deepcopy(model), targets=["v_proj"]))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(torch.equal(first[name], few[name]) for name in few)
    assert not any(torch.equal(first[name], other[name]) for name in first if "lora_A" in name)
    torch.set_rng_state(state)
    expected = torch.rand(3)
    torch.set_rng_state(state)
    adapted(model)
    assert torch.equal(torch.rand(3), expected), "the global generator stands where it stood"
    for weight in (weight for name, weight in first.items() if "lora_A" in name):
        bound = weight.shape[1] ** -0.5
        assert 0.8 * bound < float(weight.detach().abs().max()) <= bound


def test_the_gradient_is_that_of_a_lora_made_by_hand(model: PreTrainedModel) -> None:
    plain = copy.deepcopy(model)
    weights = adapter_weights(disturbed(model))
    model(IDS, labels=IDS).loss.backward()
    factors = {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}
    whole = dict(plain.named_parameters())
    for name in lora_layers(model):
        first, second = (factors[f"{name}.lora_{letter}.default.weight"] for letter in "AB")
        whole[f"{name}.weight"] = whole[f"{name}.weight"].detach() + 8 / 4 * second @ first
    functional_call(plain, whole, (), {"input_ids": IDS, "labels": IDS}).loss.backward()
    for name, weight in weights.items():
        assert weight.grad is not None
        assert torch.allclose(weight.grad, factors[name].grad, atol=1e-5), name
    assert all(weight.grad is None for name, weight in model.named_parameters() if name not in weights)


def test_a_frozen_copy_shares_the_base_and_leaves_a_new_adapter_out(model: PreTrainedModel) -> None:
    before = logits(model)
    kept = frozen_copy(adapted(model))
    assert not has_adapter(kept)
    base = {id(weight) for name, weight in model.named_parameters() if "lora_" not in name}
    assert {id(weight) for weight in kept.parameters()} == base
    with torch.no_grad():
        for weight in adapter_weights(model).values():
            weight.add_(0.1)
    assert not torch.equal(logits(model), before)
    assert torch.equal(logits(kept), before)
    assert not any(weight.requires_grad for weight in kept.parameters())
    assert all(weight.requires_grad for weight in adapter_weights(model).values())


def test_a_frozen_copy_keeps_an_adapter_that_has_learned(model: PreTrainedModel) -> None:
    before = logits(disturbed(model))
    kept = frozen_copy(model)
    own = {id(weight) for weight in model.parameters()}
    assert {name for name, weight in kept.named_parameters() if id(weight) not in own} == set(adapter_weights(model))
    with torch.no_grad():
        for weight in adapter_weights(model).values():
            weight.zero_()
    assert torch.equal(logits(kept), before)


def test_a_frozen_copy_of_a_model_that_is_trained_whole_shares_nothing(model: PreTrainedModel) -> None:
    own = {id(weight) for weight in model.parameters()}
    assert not own & {id(weight) for weight in frozen_copy(model).parameters()}


def test_peft_and_load_policy_read_what_is_saved(saved: Path, model: PreTrainedModel, tmp_path: Path) -> None:
    expected = logits(disturbed(model))
    save_adapter(model, tmp_path / "adapter")
    values = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert values["base_model_name_or_path"] == str(saved.resolve())
    assert values["target_modules"] == sorted(lora_layers(model))
    assert (values["r"], values["lora_alpha"], values["inference_mode"]) == (4, 8, True)
    base = AutoModelForCausalLM.from_pretrained(saved)
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):  # peft asks transformers in an old way
        by_peft = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert torch.allclose(logits(by_peft), expected, atol=1e-6)
    merged, _ = load_policy(str(tmp_path / "adapter"))
    assert not has_adapter(merged)
    assert torch.allclose(logits(merged), expected, atol=1e-4)
    beside, _ = load_policy(str(tmp_path / "adapter"), merged=False)
    assert torch.equal(logits(beside), expected)
    save_adapter(beside, tmp_path / "again")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "adapter" / name).read_bytes()


def test_what_is_merged_is_the_base_of_what_follows(saved: Path, model: PreTrainedModel, tmp_path: Path) -> None:
    save_adapter(disturbed(model), tmp_path / "first")
    merged, _ = load_policy(str(tmp_path / "first"))
    expected = logits(disturbed(merged))
    save_adapter(merged, tmp_path / "second")
    both, _ = load_policy(str(tmp_path / "second"))
    assert torch.allclose(logits(both), expected, atol=1e-4)


def test_an_adapter_of_a_shipped_backbone_finds_it_on_another_machine(tmp_path: Path) -> None:
    model, chat_format = load_policy("points-0")
    expected = logits(disturbed(model))
    save_adapter(model, tmp_path)
    chat_format.reader.save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"base_model_name_or_path": "/elsewhere/shiftgym/backbones/weights/points-0"}))
    assert torch.allclose(logits(load_policy(str(tmp_path))[0]), expected, atol=1e-4)


def test_beside_a_base_of_16_bits_it_has_32(saved: Path, tmp_path: Path) -> None:
    model, _ = load_policy(str(saved), dtype="bfloat16")
    disturbed(model)
    assert {weight.dtype for weight in adapter_weights(model).values()} == {torch.float32}
    assert {weight.dtype for name, weight in model.named_parameters() if "lora_" not in name} == {torch.bfloat16}
    assert model.dtype == torch.bfloat16
    assert logits(model).dtype == torch.bfloat16
    save_adapter(model, tmp_path / "adapter")
    again, _ = load_policy(str(tmp_path / "adapter"), dtype="bfloat16", merged=False)
    for name, weight in adapter_weights(again).items():
        assert torch.equal(weight, adapter_weights(model)[name])


@pytest.mark.parametrize(
    ("targets", "count"),
    [(["q_proj", "v_proj"], 4), (["self_attn.o_proj"], 2), (r".*layers\.1\..*", 7), ("all-linear", 14)],
)
def test_targets(model: PreTrainedModel, targets: Any, count: int) -> None:
    assert len(lora_layers(adapted(model, targets=targets))) == count


@pytest.mark.parametrize("targets", [["q_proj", "wrong"], ["lm_head"], ["proj"], "q_proj", ["embed_tokens"]])
def test_targets_that_are_no_linear_layers(model: PreTrainedModel, targets: Any) -> None:
    with pytest.raises(ConfigError, match=r"lora.targets: no linear layer is called '\w+'; this model has down_proj, "):
        adapted(model, targets=targets)


@pytest.mark.parametrize(("targets", "count"), [("all-linear", 8), (["c_attn"], 2)])
def test_layers_that_hold_their_weight_transposed_are_linear_too(tmp_path: Path, targets: Any, count: int) -> None:
    """GPT-2's are of a class of their own, Conv1D."""
    config = GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0)
    gpt2 = GPT2LMHeadModel(config).eval()
    gpt2.save_pretrained(tmp_path / "base")
    before = logits(gpt2)
    adapted(gpt2, targets=targets)
    assert torch.equal(logits(gpt2), before)
    assert len(lora_layers(gpt2)) == count
    assert {(weight.shape[0] == 4, weight.shape[1] == 4) for weight in adapter_weights(gpt2).values()} == {
        (True, False),
        (False, True),
    }
    with torch.no_grad():
        for weight in adapter_weights(gpt2).values():
            weight.add_(0.1)
    save_adapter(gpt2, tmp_path / "adapter")
    base = GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):  # peft asks transformers in an old way
        by_peft: Any = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert not torch.allclose(logits(gpt2), before, atol=1e-3)
    torch.testing.assert_close(logits(by_peft), logits(gpt2))
    assert torch.allclose(logits(by_peft.merge_and_unload()), logits(gpt2), atol=1e-4)


def test_what_is_frozen_gets_no_adapter(model: PreTrainedModel) -> None:
    model.get_submodule("model.layers.0").requires_grad_(False)
    assert all(".layers.1." in name for name in lora_layers(adapted(model)))


def test_training_goes_on_with_an_adapter_like_the_one_that_is_asked_for(model: PreTrainedModel) -> None:
    weights = {name: weight.clone() for name, weight in adapter_weights(disturbed(model)).items()}
    model.requires_grad_(True)
    adapted(model, seed=9)
    assert all(torch.equal(weight, weights[name]) for name, weight in adapter_weights(model).items())
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == set(weights)
    for other in ({"rank": 8}, {"alpha": 4}, {"targets": ["q_proj"]}):
        model.requires_grad_(True)
        with pytest.raises(ConfigError, match="of rank 4 and alpha 8 on 14 layers, not rank"):
            adapted(model, **other)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"use_rslora": True}, "use_rslora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # peft warns of tied embeddings and of its own deprecations
def test_training_goes_on_with_plain_lora_only(
    saved: Path, tmp_path: Path, options: dict[str, Any], cause: str
) -> None:
    config = LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"], **options)
    get_peft_model(AutoModelForCausalLM.from_pretrained(saved), config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(ConfigError, match=f"training does not go on with an adapter that has .*{cause}"):
        load_policy(str(tmp_path / "adapter"), merged=False)


def test_weights_of_another_adapter_are_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    save_adapter(disturbed(copy.deepcopy(model)), tmp_path)
    with pytest.raises(ValueError, match="weights are missing or of no use"):
        load_adapter(adapted(copy.deepcopy(model), targets=["q_proj"]), tmp_path)
    with pytest.raises(ValueError, match=r"has the shape \[4, \d+\], not \[2, \d+\]"):
        load_adapter(adapted(model, rank=2), tmp_path)


def test_a_module_that_is_no_model_of_layers_keeps_its_name(model: PreTrainedModel) -> None:
    """Everything that runs a model finds it as before."""
    adapted(model)
    assert isinstance(model.get_output_embeddings(), nn.Linear)
    assert model.get_decoder() is model.base_model
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
