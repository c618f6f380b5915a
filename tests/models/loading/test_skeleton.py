"""A model without weights is the one that would be loaded, but for its weights."""

from pathlib import Path

import pytest
import torch

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy
from shiftgym.models.loading.skeleton import skeleton


def shapes(model: torch.nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (weight.shape, weight.dtype) for name, weight in model.named_parameters()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_has_the_weights_that_are_loaded_in_shape_and_format(saved: Path, dtype: str) -> None:
    bare = skeleton(str(saved), dtype=dtype)
    assert bare.weights
    assert shapes(bare.model) == shapes(load_policy(str(saved), dtype=dtype)[0])
    assert {weight.device.type for weight in bare.model.parameters()} == {"meta"}


def test_a_configuration_alone_will_do(saved: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_bytes((saved / "config.json").read_bytes())
    found = skeleton(str(bare), dtype="float32")
    assert not found.weights
    assert shapes(found.model) == shapes(load_policy(str(saved))[0])


def test_what_is_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config.json"):
        skeleton(str(tmp_path), dtype="float32")
