import tomllib

import pytest
import tomli_w
from tests.following.made import Made

from shiftgym.errors import DataError
from shiftgym.following.declaration import read_declaration

MADE = Made(branches=2, seeds=1)


def declared(folder, path, value):
    """A declaration with another value at a key path."""
    study = tomllib.loads(MADE.study())
    *tables, last = path.split("/")
    table = study
    for name in tables:
        table = table[name]
    table[last] = value
    (folder / "study.toml").write_text(tomli_w.dumps(study), encoding="utf-8")
    return read_declaration(folder)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("title", 3, "title: should be a valid string"),
        ("title", float("nan"), "title: should be"),
        ("title", "x" * 1_000_000, "at most 2000 characters"),
        ("note", ["x"], "note: should be"),
        ("seeds", ["../../../elsewhere"], "seeds.0: should be a valid integer"),
        ("seeds", "x" * 1_000_000, "seeds: should be"),
        ("data_seed", float("inf"), "data_seed: should be"),
        ("evaluation/problems", 10**10, "evaluation.problems: should be less"),
        ("evaluation/splits", "id", "evaluation.splits: should be"),
        ("budget/flops", float("inf"), "budget.flops: should be a finite number"),
        ("budget/flops", 0.0, "budget.flops: should be greater"),
        ("init/steps", 0, "init.steps: should be greater"),
        ("task/limit", "5", "task.limit: should be"),
        ("branches/branch-0", 5, "branches.branch-0: should be a table"),
        ("branches/branch-0/label", {}, "branches.branch-0.label: should be"),
        ("branches/branch-0/start", "branch-0", "start from one another in a circle"),
        ("branches/..", {"label": "x"}, "is no name of a branch"),
    ],
)
def test_a_value_that_no_run_writes_is_told(path, value, said, tmp_path):
    with pytest.raises(DataError, match=said) as told:
        declared(tmp_path, path, value)
    assert len(str(told.value)) < 1000


def test_branches_may_start_from_others(tmp_path):
    table = {"label": "x", "start": "branch-0", "start_at": 0.5}
    assert declared(tmp_path, "branches/branch-1", table).named["branch-1"].start == "branch-0"


@pytest.mark.parametrize("path", ["title", "branches/branch-0/label"])
def test_text_may_be_anything(path, tmp_path):
    assert declared(tmp_path, path, "</script>\u202e__proto__")


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5000, "\0"])
def test_what_cannot_be_parsed_is_told(text, tmp_path):
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(DataError, match="no valid TOML"):
        read_declaration(tmp_path)
