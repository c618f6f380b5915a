"""Adapters of peft become plain models."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy

pytestmark = pytest.mark.filterwarnings("ignore")  # peft warns of tied embeddings and of its own deprecations

IDS = torch.arange(40)[None]


def disturbed(model: Any, config: Any) -> PeftModel:
    """The model with an adapter of random weights."""
    tuned = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in tuned.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return tuned.eval()


def adapter(base: Path, folder: Path, *, new_tokens: int = 0, **options: Any) -> torch.Tensor:
    """Write an adapter of the model in `base`; logits (1, 40, vocabulary) of the tuned model."""
    model = AutoModelForCausalLM.from_pretrained(base)
    if new_tokens:
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.add_tokens([f"<new {number}>" for number in range(new_tokens)])
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        tokenizer.save_pretrained(folder)
    tuned = disturbed(model, LoraConfig(task_type="CAUSAL_LM", **{"target_modules": ["q_proj"], **options}))
    tuned.save_pretrained(folder)
    return tuned(IDS).logits.detach()


def change(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(folder: Path, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause) as shown:
        load_policy(str(folder))
    assert "\n" not in str(shown.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target_modules": "all-linear"},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"modules_to_save": ["lm_head"]},
        {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        {"trainable_token_indices": {"embed_tokens": [3, 4]}},
        {"new_tokens": 5},
    ],
    ids=str,
)
def test_it_is_merged_into_a_plain_model(saved: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """The base ties its embeddings, so that an adapter of one of the two parts them."""
    expected = adapter(saved, tmp_path / "adapter", **options)
    model, chat_format = load_policy(str(tmp_path / "adapter"))
    assert type(model).__name__ == "LlamaForCausalLM"
    assert not any("lora" in name or "modules_to_save" in name for name, _ in model.named_parameters())
    assert torch.allclose(model(IDS).logits, expected, atol=1e-4)
    model.save_pretrained(tmp_path / "whole")
    chat_format.reader.save_pretrained(tmp_path / "whole")
    again, _ = load_policy(str(tmp_path / "whole"))
    assert torch.allclose(again(IDS).logits, expected, atol=1e-4)


def test_the_tokenizer_and_the_template_are_its_own_where_it_has_them(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    adapter(saved, folder)
    template = AutoTokenizer.from_pretrained(saved).chat_template
    assert load_policy(str(folder))[1].tokenizer.chat_template == template
    tokenizer = AutoTokenizer.from_pretrained(saved)
    tokenizer.chat_template = None
    tokenizer.add_special_tokens({"pad_token": "<|eot_id|>"})
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    own = load_policy(str(folder))[1].tokenizer
    assert (own.chat_template, own.pad_token) == (template, "<|eot_id|>")
    tokenizer.chat_template = template + " "
    tokenizer.save_pretrained(folder)
    assert load_policy(str(folder))[1].tokenizer.chat_template == template + " "


def test_the_base_is_looked_for_beside_the_adapter_and_here(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deep" / "adapter"
    expected = adapter(saved, folder)
    change(folder, base_model_name_or_path="../../model")
    assert torch.allclose(load_policy(str(folder))[0](IDS).logits, expected, atol=1e-4)
    monkeypatch.chdir(tmp_path)
    change(folder, base_model_name_or_path="model")
    assert torch.allclose(load_policy(str(folder))[0](IDS).logits, expected, atol=1e-4)


def test_a_shipped_backbone_is_a_base(tmp_path: Path) -> None:
    model, _ = load_policy("points-0")
    tuned = disturbed(model, LoraConfig(task_type="CAUSAL_LM"))
    tuned.save_pretrained(tmp_path)
    expected = tuned(IDS).logits.detach()
    change(tmp_path, base_model_name_or_path="points-0")
    assert torch.allclose(load_policy(str(tmp_path))[0](IDS).logits, expected, atol=1e-4)


def test_a_model_that_sees_is_a_base(tiny_seeing: Any, tmp_path: Path) -> None:
    if type(tiny_seeing[0]).__name__.startswith("Qwen"):
        pytest.skip("its processor needs torchvision to be loaded")
    for part in tiny_seeing:
        part.save_pretrained(tmp_path / "model")
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "model")
    tuned = disturbed(model, LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"]))
    tuned.save_pretrained(tmp_path / "adapter")
    found, chat_format = load_policy(str(tmp_path / "adapter"))
    assert chat_format.pictures is not None
    expected = tuned.base_model.model(input_ids=IDS[:, 30:]).logits
    assert torch.allclose(found(input_ids=IDS[:, 30:]).logits, expected, atol=1e-4)


def test_a_base_on_the_hub_is_fetched_at_the_revision_of_the_adapter(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = adapter(saved, tmp_path / "adapter")
    change(tmp_path / "adapter", base_model_name_or_path="owner/name", revision="v2")
    asked = []
    monkeypatch.setattr("shiftgym.models.loading.source.fetch", lambda *of: asked.append(of) or saved)
    model, _ = load_policy(str(tmp_path / "adapter"))
    assert asked == [("owner/name", "owner/name", "v2", True)]
    assert torch.allclose(model(IDS).logits, expected, atol=1e-4)


def test_a_base_that_is_not_there(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "adapter"
    adapter(saved, folder)
    change(folder, base_model_name_or_path="/gone/model")
    refused(folder, "its base is missing: model '/gone/model' is no .*; write its directory or hub id into")
    change(folder, base_model_name_or_path=None)
    refused(folder, "does not say which model it belongs to; write its directory or hub id into")
    change(folder, base_model_name_or_path=str(folder))
    refused(folder, "names itself as the model it belongs to")
    (tmp_path / "model" / "model.safetensors").unlink()
    change(folder, base_model_name_or_path="../model")
    refused(folder, "'../model' cannot be loaded: it has no weights .*the base of the adapter .*base_model_name")


def test_an_adapter_that_is_not_whole(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    adapter(saved, folder)
    path = folder / "adapter_model.safetensors"
    whole, kept = path.read_bytes(), load_file(path)
    path.write_bytes(whole[: len(whole) // 2])
    refused(folder, "its adapter of .*model': ")
    save_file({name: weight for name, weight in kept.items() if "layers.1" not in name}, path)
    refused(folder, "2 of its adapter's weights are missing .*; copy or download it again")
    path.unlink()
    refused(folder, "its adapter of ")
    (folder / "adapter_config.json").write_text("{")
    refused(folder, "adapter_config.json cannot be read")


def test_an_adapter_of_another_model(saved: Path, tmp_path: Path) -> None:
    adapter(saved, tmp_path / "adapter")
    change(tmp_path / "adapter", target_modules=["c_attn"])
    refused(tmp_path / "adapter", "its adapter of .*: Target modules")


def test_an_adapter_that_cannot_be_merged(saved: Path, tmp_path: Path) -> None:
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(AutoModelForCausalLM.from_pretrained(saved), config).save_pretrained(tmp_path / "a")
    refused(tmp_path / "a", "of the kind PROMPT_TUNING, which cannot be merged into a model; give a LoRA adapter")
    change(tmp_path / "a", peft_type=None)
    refused(tmp_path / "a", "has no peft_type")


def test_without_peft_it_says_what_to_install(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter(saved, tmp_path / "adapter")
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *at: None if name == "peft" else found(name, *at))
    refused(tmp_path / "adapter", r"it is an adapter, for which peft is needed: pip install 'shiftgym\[peft\]'")
    shutil.rmtree(tmp_path / "adapter")
