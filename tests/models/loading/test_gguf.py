"""Models in GGUF files, written here as llama.cpp's converter writes them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from tests.models.gguf_files import write_gguf

from shiftgym.errors import ConfigError
from shiftgym.messages import user
from shiftgym.models.loading.gguf import read_gguf
from shiftgym.models.loading.load import load_policy

PROMPT = [user("Make 24 of K, 7, 3 and 2.\n\nIt's   yours.")]


@pytest.fixture
def written(tiny_llama: Any, tmp_path: Path) -> Path:
    """A tiny Llama in a GGUF file of its own directory."""
    (tmp_path / "quantised").mkdir()
    write_gguf(tmp_path / "quantised" / "tiny-F32.gguf", *tiny_llama)
    return tmp_path / "quantised" / "tiny-F32.gguf"


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits


def test_a_file_and_its_directory_hold_the_model_that_was_written(tiny_llama: Any, saved: Path, written: Path) -> None:
    expected, chat_format = load_policy(str(saved))
    ids = chat_format.prompt(PROMPT)
    for name in (written, written.parent):
        model, same_format = load_policy(str(name))
        assert same_format.prompt(PROMPT) == ids
        assert same_format.end_id == chat_format.end_id
        assert torch.equal(logits(model, ids), logits(expected, ids))


@pytest.mark.parametrize(("kind", "furthest"), [(Kind.F16, 1e-2), (Kind.Q8_0, 0.1)])
def test_quantised_weights_become_floats_that_are_near(
    tiny_llama: Any, tmp_path: Path, kind: Kind, furthest: float
) -> None:
    write_gguf(tmp_path / "tiny.gguf", *tiny_llama, kind=kind)
    model, _ = read_gguf(tmp_path / "tiny.gguf", torch.float32)
    ids = list(range(20, 40))
    exact = logits(tiny_llama[0], ids)
    assert 0 < (logits(model, ids) - exact).norm() < furthest * exact.norm()


def test_the_model_is_plain_and_can_be_saved(written: Path, tmp_path: Path) -> None:
    model, tokenizer = read_gguf(written, torch.bfloat16)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert not hasattr(model.config, "quantization_config")
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "plain")
    again, _ = load_policy(str(tmp_path / "plain"), dtype="bfloat16")
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


def test_what_lies_beside_the_file_counts_more(saved: Path, written: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json"):
        shutil.copy(saved / name, written.parent)
    template = (saved / "chat_template.jinja").read_text() + "{# mine #}"
    (written.parent / "chat_template.jinja").write_text(template)
    (written.parent / "generation_config.json").write_text('{"eos_token_id": [1, 7]}')
    config = (saved / "config.json").read_text()
    (written.parent / "config.json").write_text(
        config.replace('"max_position_embeddings": 1024', '"max_position_embeddings": 512')
    )
    model, chat_format = load_policy(str(written))
    assert chat_format.chat_template == template
    assert model.config.max_position_embeddings == 512
    assert 7 in chat_format.end_ids


def test_a_config_that_only_names_the_family_does_not_count(written: Path) -> None:
    (written.parent / "config.json").write_text('{"model_type": "llama"}')
    assert load_policy(str(written))[0].config.hidden_size == 32


def test_other_weights_of_the_directory_come_first(saved: Path, written: Path) -> None:
    shutil.copy(written, saved / "tiny.gguf")
    (saved / "other.gguf").touch()
    load_policy(str(saved))


def refused(name: Path, cause: str, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    with pytest.raises(ConfigError, match=cause) as shown:
        load_policy(str(name))
    assert "\n" not in str(shown.value)
    assert capfd.readouterr() == ("", "")


def test_several_files_are_named(written: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(written, written.parent / "tiny-Q8_0.gguf")
    refused(
        written.parent, r"has several GGUF files; give the path of one of them: tiny-F32.gguf, tiny-Q8_0.gguf", capfd
    )
    load_policy(str(written))


@pytest.mark.parametrize("size", [0, 100, -1000])
def test_a_damaged_file(written: Path, size: int, capfd: pytest.CaptureFixture[str]) -> None:
    written.write_bytes(written.read_bytes()[:size])
    refused(written, "cannot be loaded: its GGUF file cannot be read: ", capfd)


def test_missing_packages(written: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "gguf" else object())
    refused(written, "GGUF files are read by gguf and accelerate: pip install gguf", capfd)


def test_a_file_without_a_chat_template(tiny_llama: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_gguf(tmp_path / "base.gguf", *tiny_llama, template=False)
    refused(tmp_path, "has no chat template", capfd)
