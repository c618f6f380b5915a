"""What stands in the files of a comparison."""

import json
from pathlib import Path

import pytest
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.compared import compare
from shiftgym.layout import RunFolder
from shiftgym.reports.runs import load_run
from shiftgym.tasks.base import Task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, task: Task) -> Path:
    at = tmp_path_factory.mktemp("comparison")
    compare(Coin(task, 0.3, 1), Coin(task, 0.9, 2), overrides=SMALL, labels=["base", "tuned"], folder=at)
    return at


def test_verdict_json_says_who_what_and_how_sure(folder: Path) -> None:
    found = json.loads(RunFolder(folder).verdict.read_text())
    assert (found["study"], found["base"], found["margin"]) == ("points-text", "base", 0.05)
    verdict = found["candidates"]["tuned"]["verdicts"]["rule_ood"]
    assert set(verdict) == {"verdict", "sentence", "home", "shifted"}
    assert verdict["home"]["low"] <= verdict["home"]["change"] <= verdict["home"]["high"]
    secondary = found["candidates"]["tuned"]["secondary"]
    assert set(secondary) == {"train", "id", "rule_ood", "train - id"}
    assert set(secondary["rule_ood"]) == {"success", "perseverated", "valid"}


def test_the_run_is_read_as_one_of_models(folder: Path) -> None:
    run = load_run(folder)
    assert [(branch.name, branch.label) for branch in run.branches] == [("init", "base"), ("tuned", "tuned")]
    assert run.axes == {} and run.noun == "model"
    assert [len(list(run.episodes()))] == [2 * 3 * 6]
