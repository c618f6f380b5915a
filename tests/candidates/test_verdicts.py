"""What stands in the files of a comparison."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.answer import answer
from shiftgym.candidates.compared import compare
from shiftgym.candidates.run import prepare
from shiftgym.candidates.verdicts import finish
from shiftgym.layout import RunFolder
from shiftgym.reports.load import load_run
from shiftgym.reports.page import build_report
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
    assert set(verdict) == {"verdict", "sentence", "against", "home", "shifted"}
    assert verdict["home"]["low"] <= verdict["home"]["change"] <= verdict["home"]["high"]
    secondary = found["candidates"]["tuned"]["secondary"]
    assert set(secondary) == {"train", "id", "rule_ood", "train - id"}
    assert {"success", "perseverated", "valid"} < set(secondary["rule_ood"])
    assert found["failed"] == {}


@pytest.mark.usefixtures("drawn_once")
def test_an_end_that_could_not_answer_is_not_judged_as_if_it_had(tmp_path: Path, task: Task) -> None:
    """The last checkpoint of a folder failed: the verdict is named after the one before it."""
    judging = prepare([Coin(task, 0.5), Coin(task, 0.9)], study="points-text", overrides=SMALL, labels=["base", "sft"])
    base, sft = judging.candidates
    steps = tuple(replace(sft.checkpoints[0], step=step) for step in (10, 20))
    judging = replace(judging, candidates=(base, replace(sft, checkpoints=steps)))
    answer(judging, base, base.checkpoints[0], tmp_path)
    answer(judging, judging.candidates[1], steps[0], tmp_path)
    finish(judging, tmp_path, {"sft at step 20": "a logit is not finite"})
    found = json.loads(RunFolder(tmp_path).verdict.read_text())
    assert list(found["candidates"]) == ["sft (only up to step 10)"]
    assert found["failed"] == {"sft at step 20": "a logit is not finite"}
    page = build_report(tmp_path).read_text(encoding="utf-8")
    assert "sft at step 20 could not answer: a logit is not finite." in page


def test_the_run_is_read_as_one_of_models(folder: Path) -> None:
    run = load_run(folder)
    assert [(branch.name, branch.label) for branch in run.branches] == [("init", "base"), ("tuned", "tuned")]
    assert run.axes == {} and run.noun == "model"
    assert [len(list(run.episodes(run.branches)))] == [2 * 3 * 6]
