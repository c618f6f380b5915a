"""Building a backbone, at toy size: the folder is there when it is whole, and nothing is overwritten."""

from dataclasses import replace
from pathlib import Path

import pytest

from shiftgym.backbones import build as building
from shiftgym.backbones.pretrain import Pretraining
from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy

SMALL = Pretraining(
    hidden=16, layers=1, heads=2, feed_forward=32, steps=2, careless_steps=1, tokens_per_step=512, chunk=8,
    tokenizer_problems=200,
)  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = replace(building.KINDS["points"], plan=SMALL, problems=1, splits={"train": {}}, options={"limit": 1})
    monkeypatch.setitem(building.KINDS, "points", kind)


def test_a_backbone_is_moved_into_place_with_its_card(small: None, tmp_path: Path) -> None:
    said: list[str] = []
    target = building.build("points", 7, tmp_path / "points-7", said.append)
    assert "scoring on 1 problems a split" in said
    assert [path.name for path in tmp_path.iterdir()] == ["points-7"], "nothing unfinished is left"
    assert "points-7" in (target / "README.md").read_text()
    load_policy(str(target))
    with pytest.raises(ConfigError, match=r"points-7 is there already; remove it or choose another folder by --out"):
        building.build("points", 7, target, said.append)


def test_a_build_that_ends_early_leaves_nothing_in_place(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "score", interrupt)
    with pytest.raises(KeyboardInterrupt):
        building.build("points", 7, tmp_path / "points-7", print)
    assert not (tmp_path / "points-7").exists()


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown name 'pionts'"):
        building.build("pionts", 0, None, print)
