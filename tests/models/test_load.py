from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.errors import ConfigError
from shiftgym.models.load import load_policy


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
