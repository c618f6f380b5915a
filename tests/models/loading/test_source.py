"""Where a model's files are."""

import subprocess
import sys
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.loading.source import find_source


def test_a_shipped_backbone_and_a_directory_are_on_this_machine(tmp_path: Path) -> None:
    shipped, folder = find_source("points-0"), find_source(str(tmp_path))
    assert shipped.find("config.json") == shipped.folder / "config.json"
    assert folder.folder == tmp_path
    assert folder.find("config.json") is None
    assert shipped.options == folder.options == {"local_files_only": True, "trust_remote_code": False}


@pytest.mark.parametrize(
    ("name", "given", "hub_id", "revision"),
    [
        ("owner/name", None, "owner/name", None),
        ("owner/name", "v2", "owner/name", "v2"),
        ("owner/name@v1.0", "v2", "owner/name", "v1.0"),
        ("o-w_n/na.me-2@refs/pr/3", None, "o-w_n/na.me-2", "refs/pr/3"),
    ],
)
def test_a_model_of_the_hub_is_fetched_at_its_revision(
    name: str, given: str | None, hub_id: str, revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c0ffee").mkdir()
    asked = []
    monkeypatch.setattr("shiftgym.models.loading.source.fetch", lambda *of: asked.append(of) or tmp_path / "c0ffee")
    source = find_source(name, revision=given)
    find_source(name, revision=given, weights=False)
    assert asked == [(name, hub_id, revision, True), (name, hub_id, revision, False)]
    assert (source.name, source.path, source.revision) == (name, hub_id, "c0ffee")


def test_a_directory_comes_before_a_model_of_the_hub_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out" / "sft").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_source("out/sft").hub_id is None


@pytest.mark.parametrize("name", ["owner", "owner/name@", "a/b/c", "/nowhere/at/all", "owner/name@a@b"])
def test_what_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no backbone .* directory or hub id"):
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


def test_finding_a_model_loads_no_torch() -> None:
    code = "import sys; from shiftgym.models.loading.source import find_source; find_source('points-0'); "
    code += "print([name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
