"""Models of the hub: fetched from one on this machine, or taken from a cache that was filled by hand."""

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.hub_server import COMMIT, Hub, fill, use

from shiftgym.errors import ConfigError
from shiftgym.models.loading.hub import fetch
from shiftgym.models.loading.load import load_policy


def refused(name: str, cause: str) -> None:
    """Loading ends at once with one line."""
    began = time.monotonic()
    with pytest.raises(ConfigError, match=cause) as shown:
        load_policy(name)
    assert "\n" not in str(shown.value)
    assert str(shown.value).startswith(f"model {name!r} cannot be loaded: ")
    assert time.monotonic() - began < 5


def test_it_is_fetched_once_and_loads_as_from_its_directory(hub: Hub, saved: Path) -> None:
    hub.repositories["owner/name"] = saved
    model, chat_format = load_policy("owner/name")
    expected, _ = load_policy(str(saved))
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), expected.parameters(), strict=True))
    assert (model.name_or_path, model.config._commit_hash) == ("owner/name", COMMIT)
    assert chat_format.tokenizer.name_or_path == "owner/name"
    hub.asked.clear()
    load_policy(f"owner/name@{COMMIT}")
    assert not [path for path in hub.asked if "/resolve/" in path], "no file is fetched again"


def test_only_what_loading_needs_is_fetched(hub: Hub, saved: Path) -> None:
    for name in ("pytorch_model.bin", "model.fp16.safetensors", "rust_model.ot", "tf_model.h5", "modeling_mine.py"):
        (saved / name).touch()
    hub.repositories["owner/name"] = saved
    folder = fetch("owner/name", "owner/name", None)
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"} <= names
    assert not names & {
        "pytorch_model.bin",
        "model.fp16.safetensors",
        "rust_model.ot",
        "tf_model.h5",
        "modeling_mine.py",
    }


def test_the_configuration_can_be_had_without_the_weights(hub: Hub, saved: Path) -> None:
    hub.repositories["owner/name"] = saved
    folder = fetch("owner/name", "owner/name", None, False)
    assert (folder / "config.json").is_file() and not (folder / "model.safetensors").exists()
    load_policy("owner/name")
    assert (folder / "model.safetensors").is_file(), "the rest is fetched when it is needed"


def test_weights_of_the_older_kind_are_fetched_where_there_are_no_others(hub: Hub, saved: Path) -> None:
    model, _ = load_policy(str(saved))
    (saved / "model.safetensors").unlink()
    torch.save(model.state_dict(), saved / "pytorch_model.bin")
    hub.repositories["owner/name"] = saved
    load_policy("owner/name")


def test_a_repository_of_gguf_files(hub: Hub, tmp_path: Path, tiny_llama: tuple) -> None:  # type: ignore[type-arg]
    from tests.models.gguf_files import write_gguf

    (tmp_path / "files").mkdir()
    write_gguf(tmp_path / "files" / "tiny-F32.gguf", *tiny_llama)
    hub.repositories["owner/name-GGUF"] = tmp_path / "files"
    load_policy("owner/name-GGUF")
    hub.refused["owner/name-GGUF"] = (503, "", False)
    load_policy("owner/name-GGUF")
    hub.refused.clear()
    shutil.copy(tmp_path / "files" / "tiny-F32.gguf", tmp_path / "files" / "tiny-F16.gguf")
    refused("owner/name-GGUF", "several GGUF files; download one .* path: tiny-F16.gguf, tiny-F32.gguf")


@pytest.mark.parametrize("name", ["out/sft", "out/sft@v1", "out/sft-", "out/a..b"])
def test_what_is_neither_a_directory_nor_on_the_hub(hub: Hub, name: str) -> None:
    refused(name, "there is no directory of that name and no such model on the hub; if it is private, log in")


def test_a_revision_that_it_does_not_have(hub: Hub, saved: Path) -> None:
    hub.repositories["owner/name"] = saved
    refused("owner/name@v9", "the hub has the model, but no revision 'v9' of it; give a branch, tag or commit")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("files_only", [True, False])
def test_a_gated_model_says_where_to_ask_for_access(hub: Hub, saved: Path, status: int, files_only: bool) -> None:
    hub.repositories["owner/name"] = saved
    hub.refused["owner/name"] = (status, "GatedRepo", files_only)
    refused(
        "owner/name", f"access to it is restricted; accept its terms on {hub.url}/owner/name and log in with `hf auth"
    )


def test_a_repository_without_a_model(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.json").touch()
    hub.repositories["owner/data"] = tmp_path / "data"
    refused("owner/data", "its repository has neither config.json nor adapter_config.json")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_fails(hub: Hub, saved: Path, tmp_path: Path, status: int) -> None:
    hub.refused["owner/name"] = (status, "", False)
    refused("owner/name", f"the hub answers with status {status}, and its cache has no such model; give a directory")
    fill(tmp_path / "cache", "owner/name", saved)
    load_policy("owner/name")


def unreachable(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No hub answers: nothing listens, something listens and is silent, or it may not be asked."""
    from huggingface_hub import constants

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if kind == "silent":
            silent.listen()
            monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.5)
        use(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path / "cache")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", kind == "offline")
        yield


@pytest.fixture(params=["down", "silent", "offline"])
def away(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for _ in unreachable(request.param, monkeypatch, tmp_path):
        yield request.param


def test_a_filled_cache_suffices(away: str, saved: Path, tmp_path: Path) -> None:
    fill(tmp_path / "cache", "owner/name", saved)
    fill(tmp_path / "cache", "owner/name", saved, revision="v2")
    began = time.monotonic()
    for name in ("owner/name", "owner/name@v2", f"owner/name@{COMMIT}"):
        assert load_policy(name)[0].name_or_path == "owner/name"
    assert time.monotonic() - began < 8


def test_what_the_cache_lacks(away: str, saved: Path, tmp_path: Path) -> None:
    why = {"offline": r"the hub may not be asked \(HF_HUB_OFFLINE\)"}.get(away, r"the hub cannot be reached \(\w+\)")
    refused(
        "owner/name", f"there is no directory of that name, {why}, and its cache has no such model; give a directory"
    )
    fill(tmp_path / "cache", "owner/name", saved)
    refused("owner/name@v2", f"{why}, and its cache has the model, but not its revision 'v2'; fetch that once")


def test_a_cache_that_was_filled_in_part(away: str, saved: Path, tmp_path: Path) -> None:
    (saved / "model.safetensors").unlink()
    fill(tmp_path / "cache", "owner/name", saved)
    refused("owner/name", "it has no weights")
