"""Building a backbone: the card says what it is and what it scores."""

from dataclasses import replace
from pathlib import Path

import pytest

from shiftgym.backbones import build as building
from shiftgym.backbones.build import KINDS, build
from shiftgym.backbones.pretrain import Pretraining
from shiftgym.errors import ConfigError

SMALL = Pretraining(
    hidden=16, layers=1, heads=2, feed_forward=32, steps=2, careless_steps=1, tokens_per_step=512, chunk=8,
    tokenizer_problems=200,
)  # fmt: skip


def test_an_unknown_backbone_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"unknown name 'chess'; backbones are: {', '.join(KINDS)}"):
        build("chess", 0, tmp_path, print)


def test_a_backbone_is_built_scored_and_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        building.KINDS, "points", replace(KINDS["points"], plan=SMALL, problems=1, splits={"train": {}})
    )
    said: list[str] = []
    folder = build("points", 3, tmp_path / "points-3", said.append)
    assert folder == tmp_path / "points-3"
    assert {"config.json", "model.safetensors", "README.md"} <= {path.name for path in folder.iterdir()}
    assert not (tmp_path / "points-3.unfinished").exists()
    assert said[-1] == "scoring on 1 problems a split"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "points-3" in text
    assert [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| train")] == [
        [" train ", " sampled "],
        [" train ", " greedy "],
    ]
