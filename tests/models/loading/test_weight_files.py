"""Weights that cannot be read, or are not there."""

from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n"


def refused(folder: Path, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause) as shown:
        load_policy(str(folder))
    assert "\n" not in str(shown.value)


@pytest.fixture
def pickled(tiny_llama: Any, saved: Path) -> Path:
    """The weights as torch.save writes them."""
    (saved / "model.safetensors").unlink()
    torch.save(tiny_llama[0].state_dict(), saved / "pytorch_model.bin")
    return saved


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_half_a_file_of_safetensors(saved: Path, share: float) -> None:
    path = saved / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(saved, "model.safetensors is cut off or damaged .*; copy or download it again")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_half_a_file_of_torch(pickled: Path, share: float) -> None:
    path = pickled / "pytorch_model.bin"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(pickled, "pytorch_model.bin is cut off or damaged; copy or download it again")


def test_a_whole_file_of_torch_is_read_and_code_is_not(pickled: Path) -> None:
    load_policy(str(pickled))
    torch.save({"weights": Path("x")}, pickled / "pytorch_model.bin")
    refused(pickled, "pytorch_model.bin is not opened, since it could run code; save the model as safetensors")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_pointer_of_git_lfs(saved: Path, name: str) -> None:
    (saved / name).write_bytes(POINTER)
    refused(saved, f"{name}: pointers of Git LFS, not the files; run `git lfs pull` in ")


def test_a_shard_that_is_not_there(tiny_llama: Any, saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    tiny_llama[0].save_pretrained(saved, max_shard_size="20KB")
    shards = sorted(saved.glob("model-*.safetensors"))
    assert len(shards) > 2
    shards[1].unlink()
    refused(saved, rf"index.json names {len(shards)} files, of which 1 are missing \({shards[1].name}\)")
    (saved / "model.safetensors.index.json").write_text("{")
    refused(saved, "model.safetensors.index.json is damaged")


@pytest.mark.parametrize(
    ("instead", "cause"),
    [
        (None, r"it has no weights \(model.safetensors\); copy them there"),
        ("tf_model.h5", "it has no weights .*, only tf_model.h5;"),
        ("consolidated.00.pth", "it has no weights .*, only consolidated.00.pth;"),
    ],
)
def test_no_weights(saved: Path, instead: str | None, cause: str) -> None:
    (saved / "model.safetensors").unlink()
    if instead:
        (saved / instead).touch()
    refused(saved, cause)
