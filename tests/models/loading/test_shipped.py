"""The weights that ship, and the names of those that are made."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy
from shiftgym.models.loading.shipped import WEIGHTS, backbone_folder, backbones, check_made, shipped


def test_shipped_backbones_load_and_fit_their_size():
    assert {"points-0", "points-1"} <= set(shipped())
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*.*")) < 25e6
    model, chat_format = load_policy("points-0")
    assert model.num_parameters() < 1e6
    assert chat_format.tokenizer.chat_template


def test_a_backbone_that_is_made_lies_in_the_cache(tmp_path, monkeypatch):
    assert backbones() == [*shipped(), "smollm2"]
    assert backbone_folder("points-0") == WEIGHTS / "points-0"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert backbone_folder("smollm2") == tmp_path / "shiftgym" / "smollm2"
    monkeypatch.setenv("HOME", "/home/somebody")
    for unset in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert backbone_folder("smollm2") == Path("/home/somebody/.cache/shiftgym/smollm2")


def test_one_that_is_still_to_be_made_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for check in (check_made, load_policy):
        with pytest.raises(ConfigError, match="'smollm2' has not been made .*make it with: shiftgym backbone smollm2$"):
            check("smollm2")
    check_made("points-0")
    check_made("nobody/nothing")
    (tmp_path / "shiftgym" / "smollm2").mkdir(parents=True)
    (tmp_path / "shiftgym" / "smollm2" / "config.json").touch()
    check_made("smollm2")
