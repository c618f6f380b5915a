"""Run folders as reports read them."""

import json
from pathlib import Path
from typing import Any

import pytest

from shiftgym.errors import DataError
from shiftgym.reports.load import load_run

SMALL: dict[str, Any] = {"problems": 2, "fractions": (1.0,)}


def test_a_model_card_is_read_from_the_model_directory(make_run: Any, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Seen", encoding="utf-8")
    assert load_run(make_run(model=str(tmp_path), **SMALL)).model_card() == "# Seen"
    assert load_run(make_run(**SMALL)).model_card() is None


def test_kept_episodes_are_read_with_their_line_when_broken(make_run: Any) -> None:
    folder = make_run(**SMALL)
    path = next(folder.glob("branches/*/evaluation_episodes.jsonl"))
    path.write_text(json.dumps({}) + "\nbroken\n", encoding="utf-8")
    run = load_run(folder)
    with pytest.raises(DataError, match=r"evaluation_episodes\.jsonl:2"):
        list(run.episodes(run.branches))
