"""What a model must be to be loaded: each fault is one line, and nothing else is printed or asked."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    Qwen2ForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.utils.logging import disable_progress_bar

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy


@pytest.fixture(autouse=True)
def silence(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing reaches the terminal, and nothing is read from it."""
    disable_progress_bar()  # of save_pretrained in these tests
    monkeypatch.setattr(sys, "stdin", None)
    capfd.readouterr()
    yield
    assert capfd.readouterr() == ("", "")


def refused(folder: Path, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause) as shown:
        load_policy(str(folder))
    assert "\n" not in str(shown.value)


def change(folder: Path, **values: Any) -> None:
    """Set these values in config.json; None takes one out."""
    config = json.loads((folder / "config.json").read_text()) | values
    kept = {name: value for name, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


def weights(folder: Path, change: Any) -> None:
    """Write the weights after `change`, which works in place."""
    kept = load_file(folder / "model.safetensors")
    change(kept)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


CODE = {"AutoConfig": "configuration_my.MyConfig", "AutoModelForCausalLM": "modeling_my.My"}


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"model_type": None}, "config.json has no model_type"),
        ({"model_type": "qwen99"}, "transformers [0-9.]+ does not know the model_type 'qwen99' .*; install a version"),
        ({"model_type": "mine", "auto_map": CODE}, "it needs code of its own .*, which is never run here"),
        ({"model_type": None, "auto_map": CODE}, "it needs code of its own"),
        (
            {"attn_implementation": "some/kernel"},
            "the attention kernel 'some/kernel' of the hub, whose code is never run",
        ),
        ({"hidden_size": "big"}, "field 'hidden_size': TypeError"),
        ({"dtype": "float7"}, "dtype 'float7', which torch does not know"),
        ({"model_type": "vit"}, "vit is no language model; give a causal language model"),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            "it is quantised .quant_method .gptq. of config.json.: .*pip install",
        ),
        ({"vocab_size": 300}, "has the shape .*, and config.json asks for .* from the same model"),
    ],
)
def test_a_config_of_no_usable_model(saved: Path, values: dict[str, Any], cause: str) -> None:
    change(saved, **values)
    refused(saved, cause)


def test_code_beside_a_native_model_is_ignored(saved: Path) -> None:
    change(saved, auto_map=CODE)
    assert type(load_policy(str(saved))[0]).__name__ == "LlamaForCausalLM"


MINE = "from pathlib import Path\nPath(__file__).with_name('was-run').touch()\nclass Mine: ...\n"


@pytest.mark.parametrize(
    "auto_map",
    [
        {"AutoTokenizer": ["mine.Mine", "mine.Mine"]},
        ["mine.Mine", None],
        {"AutoTokenizer": ["other/one--mine.Mine", None]},
    ],
)
def test_a_tokenizer_of_code_of_its_own_is_refused(saved: Path, auto_map: Any) -> None:
    (saved / "mine.py").write_text(MINE)
    config = json.loads((saved / "tokenizer_config.json").read_text())
    config |= {"auto_map": auto_map, "tokenizer_class": "Mine"}
    (saved / "tokenizer_config.json").write_text(json.dumps(config))
    refused(saved, "it needs code of its own .auto_map., which is never run here; give a model that transformers")
    assert not (saved / "was-run").exists()


def test_a_processor_of_code_of_its_own_is_refused(tiny_seeing: Any, tmp_path: Path) -> None:
    for part in tiny_seeing:
        part.save_pretrained(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    for file in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        path = tmp_path / file
        config = json.loads(path.read_text()) if path.is_file() else {}
        config |= {"auto_map": {"AutoProcessor": "mine.Mine"}, "processor_class": "Mine"}
        path.write_text(json.dumps(config))
    refused(tmp_path, "it needs code of its own")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("text", "cause"), [("{nope", "config.json is no JSON"), ("[1]", "config.json holds no object")]
)
def test_a_config_that_is_none(saved: Path, text: str, cause: str) -> None:
    (saved / "config.json").write_text(text)
    refused(saved, cause)


def test_a_directory_without_a_config_says_what_it_has(saved: Path, tmp_path: Path) -> None:
    refused(tmp_path, "has no config.json; give one of the models in it: model$")
    shutil.rmtree(saved)
    refused(tmp_path, "has no config.json; give one written by save_pretrained")


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda _: BertForMaskedLM(BertConfig(vocab_size=350, **SMALL)), "bert is an encoder; give a causal"),
        (
            lambda _: T5ForConditionalGeneration(
                T5Config(vocab_size=350, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
            ),
            "t5 is an encoder-decoder",
        ),
        (
            lambda tiny: Qwen2ForSequenceClassification(tiny("qwen2")[0].config),
            r"1 of its 27 weights are missing .*\(lm_head.weight\).* not of a Qwen2ForSequenceClassification",
        ),
    ],
)
def test_models_that_do_not_continue_a_text(saved: Path, make_tiny: Any, make: Any, cause: str) -> None:
    make(make_tiny).save_pretrained(saved)
    refused(saved, cause)


@pytest.mark.parametrize(
    ("lost", "cause"),
    [
        (["model.norm.weight"], "1 of its .* weights are missing from its files .model.norm.weight."),
        ([f"model.layers.{n}.mlp.{part}_proj.weight" for n in (0, 1) for part in ("up", "down")], "4 of its .* 1 more"),
    ],
)  # fmt: skip
def test_missing_weights_are_not_made_up(saved: Path, lost: list[str], cause: str) -> None:
    weights(saved, lambda kept: [kept.pop(name) for name in lost])
    refused(saved, cause)


def test_weights_under_other_names_are_missing(saved: Path) -> None:
    weights(saved, lambda kept: [kept.update({f"wrapped.{name}": kept.pop(name)}) for name in [*kept]])
    refused(saved, "weights are missing from its files")


def test_tied_weights_and_those_without_use_are_no_fault(saved: Path) -> None:
    weights(saved, lambda kept: kept.update({"v_head.weight": torch.ones(3), "rotary_emb.inv_freq": torch.ones(2)}))
    assert "lm_head.weight" not in load_file(saved / "model.safetensors")
    load_policy(str(saved))


def test_tokens_beyond_the_embeddings(saved: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(saved)
    tokenizer.add_tokens(["<card>", "<suit>"])
    tokenizer.save_pretrained(saved)
    refused(
        saved,
        r"token 350 \('<card>'\) of its tokenizer \(and 1 more\) is beyond the 350 embeddings .*embeddings\(352\)",
    )


def test_a_special_token_counts_if_the_template_writes_it(saved: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(saved)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(saved)
    load_policy(str(saved))
    tokenizer.chat_template = "<image>" + tokenizer.chat_template
    tokenizer.save_pretrained(saved)
    refused(saved, "token 350 .'<image>'. of its tokenizer is beyond")


def test_more_embeddings_than_tokens_are_normal(saved: Path, make_tiny: Any) -> None:
    model, _ = make_tiny("llama")
    model.resize_token_embeddings(384, mean_resizing=False)
    model.save_pretrained(saved)
    load_policy(str(saved))


@pytest.mark.parametrize("family", ["llama", "gemma", "qwen2"])
def test_no_tokenizer(tmp_path: Path, make_tiny: Any, family: str) -> None:
    make_tiny(family)[0].save_pretrained(tmp_path)
    refused(tmp_path, "it has no tokenizer files")


def test_a_damaged_tokenizer(saved: Path) -> None:
    text = (saved / "tokenizer.json").read_text()
    (saved / "tokenizer.json").write_text(text[: len(text) // 2])
    refused(saved, "its tokenizer cannot be read")


def test_no_chat_template(saved: Path) -> None:
    (saved / "chat_template.jinja").unlink()
    refused(saved, "has no chat template")
