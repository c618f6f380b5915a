"""Run folders are read, or refused in one line."""

from pathlib import Path
from typing import Any

import pytest

from shiftgym.errors import DataError
from shiftgym.reports.load import check_poolable, load_run

SMALL: dict[str, Any] = {"problems": 2, "fractions": (1.0,)}


def test_runs_that_are_not_the_same_study_are_not_pooled(make_run: Any) -> None:
    one = load_run(make_run(**SMALL))
    with pytest.raises(DataError, match="a backbone occurs twice"):
        check_poolable([one, one])
    with pytest.raises(DataError, match=r"\[seeds\] differs"):
        check_poolable([one, load_run(make_run(model="other", seeds=(0, 1), **SMALL))])


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (lambda folder: (folder / "study.toml").unlink(), "no run folder"),
        (lambda folder: (folder / "study.toml").write_text("= 3"), "no valid TOML"),
        (lambda folder: (folder / "study.toml").write_text("name = 'x'"), "'title' is missing"),
        (lambda folder: (folder / "results.jsonl").write_text("{"), "not a results file"),
        (lambda folder: (folder / "results.jsonl").write_text(""), "no results yet"),
        (lambda folder: (folder / "environment.json").write_text("[]"), "a JSON object was expected"),
        (
            lambda folder: (folder / "study.toml").write_text(
                (folder / "study.toml").read_text().replace("home =", "hme =")
            ),
            r"study\.toml: compare\.hme: unknown key; did you mean 'home'\?",
        ),
    ],
)
def test_a_broken_run_folder_is_one_clear_line(make_run: Any, break_it: Any, complaint: str) -> None:
    folder = make_run(**SMALL)
    break_it(folder)
    with pytest.raises(DataError, match=complaint) as caught:
        _read(folder)
    assert "\n" not in str(caught.value)


def _read(folder: Path) -> None:
    run = load_run(folder)
    run.environment()
    assert run.compare
