"""A comparison from Python."""

from pathlib import Path

import numpy as np
import pytest
from tests.candidates.conftest import SMALL, Coin

import shiftgym
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.text_chat import Dialogue
from shiftgym.seeds import Names
from shiftgym.tasks.base import Task

MANY = ("evaluation.problems=64", *SMALL[1:])


def test_a_verdict_and_its_numbers(task: Task) -> None:
    found = shiftgym.compare(
        Coin(task, 0.2, 1), Coin(task, 0.8, 2), Coin(task, 0.2, 1), overrides=MANY, labels=["base", "better", "copy"]
    )
    assert {label: of["rule_ood"].word for label, of in found.verdicts.items()} == {
        "better": "generalised",
        "copy": "undecided",
    }
    for split in ("id", "rule_ood", "train"):
        same = found.difference("copy", "base", split)
        assert same is not None and (same.value, same.low, same.high) == (0, 0, 0)
    better = found.difference("better", "copy", "id", "success_1")
    assert better is not None and better.low > 0
    assert "better, rule_ood: generalised" in repr(found)
    assert found.results().num_rows == 3 * 3 * 64


class OneRule(Coin):
    """Answers as well as a coin under the trained rule, and never rightly under another."""

    def _lands(self, names: Names, dialogue: Dialogue) -> bool:
        return dialogue.decision.problem.split != "rule_ood" and super()._lands(names, dialogue)


def test_nothing_is_told_from_a_shift_under_which_no_answer_was_ever_right(task: Task) -> None:
    found = shiftgym.compare(OneRule(task, 0.1, 1), OneRule(task, 0.9, 2), overrides=MANY, labels=["base", "tuned"])
    verdict = found.verdicts["tuned"]["rule_ood"]
    assert verdict.home.verdict == "rose" and verdict.word == "undecided"


def test_the_folder_is_temporary_unless_one_is_given(tmp_path: Path, task: Task) -> None:
    found = shiftgym.compare(ExpertPolicy(task), Coin(task, 0.5), overrides=SMALL)
    folder = found.folder
    assert (folder / "verdict.json").is_file()
    del found
    assert not folder.exists()
    kept = shiftgym.compare(ExpertPolicy(task), Coin(task, 0.5), overrides=SMALL, folder=tmp_path / "kept")
    del kept
    assert (tmp_path / "kept" / "results.jsonl").is_file()


@pytest.mark.usefixtures("drawn_once")
def test_the_report_opens_with_the_verdict(tmp_path: Path, task: Task) -> None:
    found = shiftgym.compare(Coin(task, 0.2, 1), Coin(task, 0.9, 2), overrides=MANY, labels=["b", "t<u>ned"])
    page = found.report().read_text(encoding="utf-8")
    assert "<h1>t&lt;u&gt;ned: generalised on rule_ood.</h1>" in page
    assert "It cannot tell whether the problems at home were trained on elsewhere." in page
    assert 'id="episodes"' in page


def test_what_is_not_in_a_comparison(task: Task) -> None:
    found = shiftgym.compare(Coin(task, 0.2), Coin(task, 0.8), overrides=SMALL, labels=["base", "tuned"])
    for asked in (("base", "tund", "id"), ("tuned", "base", "idd"), ("tuned", "base", "id", "sucess")):
        with pytest.raises(shiftgym.ConfigError, match="there is no"):
            found.difference(*asked)


def test_labels_are_no_markup(task: Task) -> None:
    labels = ["[red]base", "tu[/b]ned"]
    found = shiftgym.compare(Coin(task, 0.2), Coin(task, 0.8), overrides=SMALL, labels=labels)
    assert "minus [red]base" in repr(found) and "tu[/b]ned, rule_ood" in repr(found)
    page = found.report().read_text(encoding="utf-8").partition("<script")[0]
    assert "their gain over the start" not in page and "common start" not in page


@pytest.mark.slow
def test_noise_alone_is_rarely_judged(task: Task) -> None:
    """Of 40 comparisons of policies that are equally good, at most 5 % get any verdict. The statistics alone are tried
    more often (tests/reports/test_judgement.py)."""
    # Whether problems of the training split were copied is no part of a verdict.
    overrides = [*MANY, "evaluation.splits=['id', 'rule_ood']"]
    words = [
        shiftgym.compare(Coin(task, 0.4, seed), Coin(task, 0.4, 1000 + seed), overrides=overrides)
        .verdicts["Coin-2"]["rule_ood"]
        .word
        for seed in range(40)
    ]
    assert np.mean([word != "undecided" for word in words]) <= 0.05
