"""Where a model's files are."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.source import find_source


def test_a_shipped_backbone_and_a_directory_are_on_this_machine(tmp_path: Path) -> None:
    shipped, folder = find_source("points-0"), find_source(str(tmp_path))
    assert shipped.find("config.json") == Path(shipped.path) / "config.json"
    assert folder.folder == tmp_path
    assert folder.find("config.json") is None
    assert shipped.options == folder.options == {
        "local_files_only": True, "revision": None, "trust_remote_code": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "revision"),
    [
        ("owner/name", "owner/name", None),
        ("owner/name@v1.0", "owner/name", "v1.0"),
        ("o-w_n/na.me-2@refs/pr/3", "o-w_n/na.me-2", "refs/pr/3"),
    ],
)
def test_a_hub_id_may_name_a_revision(name: str, path: str, revision: str | None) -> None:
    source = find_source(name)
    assert (source.name, source.path, source.revision, source.local) == (name, path, revision, False)
    assert source.options["revision"] == revision
    assert source.folder is None


@pytest.mark.parametrize("name", ["owner", "owner/name@", "a/b/c", "/nowhere/at/all", "owner/name@a@b"])
def test_what_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no shipped backbone .* directory or hub id"):
        find_source(name)


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ConfigError, match="is a file: give the directory"):
        find_source(str(tmp_path / "model.safetensors"))


def test_a_gguf_file_is_one_and_a_directory_may_hold_one(tmp_path: Path) -> None:
    file = tmp_path / "a-Q4_K_M.gguf"
    file.touch()
    assert find_source(str(file)).gguf == find_source(str(tmp_path)).gguf == file
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ConfigError, match=r"several GGUF files; .*: a-Q4_K_M.gguf, b.gguf"):
        find_source(str(tmp_path))
    (tmp_path / "model-00001-of-00002.safetensors").touch()
    assert find_source(str(tmp_path)).gguf is None


def test_a_relative_path_may_start_beside_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Path(find_source("../b", tmp_path / "a").path).resolve() == tmp_path / "b"
    assert find_source("b", tmp_path / "a").path == "b", "else it starts here"


@pytest.mark.parametrize(
    ("raised", "reach", "found"),
    [
        ("owner/name does not appear to have a file named x.json. Checkout ...", True, None),
        ("We couldn't connect to 'https://huggingface.co'", True, OSError),
        (None, False, None),
    ],
)
def test_a_file_that_the_hub_lacks_is_none_and_a_hub_that_is_not_reached_an_error(
    monkeypatch: pytest.MonkeyPatch, raised: str | None, reach: bool, found: type[OSError] | None
) -> None:
    def cached(path: str, file: str, *, revision: str, _raise_exceptions_for_missing_entries: bool) -> None:
        assert (path, file, revision, _raise_exceptions_for_missing_entries) == ("owner/name", "x.json", "v1", reach)
        if raised:
            raise OSError(raised)

    monkeypatch.setattr("shiftgym.models.source.cached_file", cached)
    source = find_source("owner/name@v1")
    if found:
        with pytest.raises(found, match="connect"):
            source.find("x.json", reach=reach)
    else:
        assert source.find("x.json", reach=reach) is None
