from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.families import make_text_model, tokenizer

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy


def test_a_saved_model_comes_back(tiny_llama: Any, saved: Path) -> None:
    model, chat_format = load_policy(str(saved))
    assert not model.training
    assert model.dtype is torch.float32
    for name, weight in tiny_llama[0].state_dict().items():
        assert torch.equal(model.state_dict()[name], weight)
    assert chat_format.tokenizer.chat_template == tiny_llama[1].chat_template
    assert chat_format.pictures is None


def test_the_dtype_is_the_callers(saved: Path) -> None:
    assert load_policy(str(saved), dtype="bfloat16")[0].dtype is torch.bfloat16
    with pytest.raises(ConfigError, match="dtype 'float8' is unknown; choose one of float32"):
        load_policy(str(saved), dtype="float8")


def test_a_shipped_backbone_is_loaded_by_name() -> None:
    assert load_policy("points-0")[0].config.model_type == "llama"
    with pytest.raises(ConfigError, match=r"'pionts-1' is no backbone \(navigation-0.*nearest is 'points-1'\)"):
        load_policy("pionts-1")


def test_a_directory_without_a_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no config") as refused:
        load_policy(str(tmp_path))
    assert "\n" not in str(refused.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be loaded") as refused:
        load_policy(str(tmp_path))
    assert "\n" not in str(refused.value)


def test_a_template_may_be_given_as_a_file(tiny_llama: Any, tmp_path: Path) -> None:
    model, tokenizer = tiny_llama
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    template = tokenizer.chat_template
    (tmp_path / "model" / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="'.*model' has no chat template; give one by --chat-template FILE$"):
        load_policy(str(tmp_path / "model"))
    (tmp_path / "mine.jinja").write_text(template)
    for given in (template, str(tmp_path / "mine.jinja")):
        assert load_policy(str(tmp_path / "model"), chat_template=given)[1].chat_template == template


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.filterwarnings("ignore")  # bitsandbytes has deprecations of its own
def test_a_model_that_bitsandbytes_has_quantised_answers_and_trains_with_an_adapter(
    bits: int, tiny_llama: Any, saved: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bitsandbytes")
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig

    from shiftgym.episodes import play
    from shiftgym.models.generation.policy import model_policy
    from shiftgym.tasks.registry import build_task
    from shiftgym.training.trainer import train

    # On CPUs with AVX512-BF16 it demands matrices of at least 64 columns.
    config = tiny_llama[0].config.to_dict() | {"hidden_size": 64, "intermediate_size": 64, "head_dim": 16}
    AutoModelForCausalLM.from_config(LlamaConfig.from_dict(config)).save_pretrained(saved)
    how = BitsAndBytesConfig(**{f"load_in_{bits}bit": True})
    small = AutoModelForCausalLM.from_pretrained(saved, quantization_config=how, device_map="cpu")
    small.save_pretrained(tmp_path / "small")
    tiny_llama[1].save_pretrained(tmp_path / "small")
    capfd.readouterr()
    model, chat_format = load_policy(str(tmp_path / "small"))
    task = build_task("points")
    policy = model_policy(model, chat_format, temperature=0.0, max_new_tokens=4, seed=0)
    assert play(policy, task, [task.problem("train", 0)])[0].decisions[0].attempts[0].tokens <= 4
    settings = {"batch": 2, "problems": 2}
    with pytest.raises(
        ConfigError, match="weights are quantised, so .*; train an adapter beside them: --set recipe.lora"
    ):
        train((model, chat_format), "sft", task, settings=settings, steps=1, folder=tmp_path / "whole")
    before = model.model.layers[0].mlp.up_proj.weight.clone()
    with_adapter = {**settings, "lora": {"rank": 2}, "optimizer": {"learning_rate": 0.1}}
    result = train((model, chat_format), "sft", task, settings=with_adapter, steps=2, folder=tmp_path / "beside")
    assert torch.equal(model.model.layers[0].mlp.up_proj.base_layer.weight, before)
    assert (result.checkpoints[-1].path / "adapter_model.safetensors").is_file()
    assert "cast" not in capfd.readouterr().err


def test_a_model_that_divides_its_weights_for_inference_saves_them_as_they_are(tmp_path: Path) -> None:
    """RWKV halves those of each layer once more, at its first pass in evaluation mode."""
    model, reader = make_text_model("RWKV"), tokenizer()
    model.config.rescale_every = 1
    model.save_pretrained(tmp_path / "first")
    reader.save_pretrained(tmp_path / "first")
    ids, logits = torch.arange(10)[None], []
    for folder, following in (("first", "second"), ("second", "third")):
        loaded, chat_format = load_policy(str(tmp_path / folder))
        with torch.no_grad():
            logits.append(loaded(ids).logits)
        loaded.save_pretrained(tmp_path / following)
        chat_format.reader.save_pretrained(tmp_path / following)
    assert torch.equal(*logits)
