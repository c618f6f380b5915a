"""Claims held against synthetic runs."""

from typing import Any

import pytest

from shiftgym.errors import DataError
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.claims import Claim, claims_page, hold
from shiftgym.reports.runs import load_run

LOSS = Claim(text="SFT loses", paper="it does", study="synthetic", a="sft", split="rule_ood", expect="fall")


@pytest.fixture(scope="module")
def analysis(make_run: Any) -> Analysis:
    return Analysis([load_run(make_run())])


@pytest.mark.parametrize(
    ("changed", "judgement"),
    [
        ({}, "reproduced"),
        ({"expect": "rise"}, "not reproduced"),
        ({"a": "ppo", "b": "sft", "expect": "rise"}, "reproduced"),
        ({"a": "init"}, "undecided"),
    ],
)
def test_a_claim_is_judged_by_its_interval(analysis: Analysis, changed: dict[str, Any], judgement: str) -> None:
    tested = hold(LOSS.model_copy(update=changed), analysis)
    assert tested.judgement == judgement
    assert tested.found is not None
    assert (tested.seeds, tested.problems) == (len(analysis.first.seeds), analysis.first.problems)


def test_without_a_run_there_is_no_verdict(analysis: Analysis) -> None:
    assert hold(LOSS, None).judgement == "no data"
    assert hold(LOSS.model_copy(update={"measure": "recognised"}), analysis).judgement == "no data"


@pytest.mark.parametrize("changed", [{"a": "ppe"}, {"b": "ppe"}, {"split": "ppe"}])
def test_a_claim_about_nothing_is_refused(analysis: Analysis, changed: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="the study synthetic has no (branch|split) 'ppe'"):
        hold(LOSS.model_copy(update=changed), analysis)


def test_the_page_names_verdict_figure_interval_and_n(make_run: Any) -> None:
    claims = [LOSS, LOSS.model_copy(update={"study": "other", "text": "Nobody looked"})]
    analyses = {"synthetic": Analysis([load_run(make_run())])}
    page = claims_page("All claims", claims, analyses, "the command", {"synthetic": ["figures/one.svg"]})
    (row,) = [line for line in page.splitlines() if "SFT loses" in line]
    found = hold(LOSS, Analysis([load_run(make_run())])).found
    assert found is not None
    assert f"{100 * found.value:+.1f}".replace("-", "−") in row
    assert "**reproduced**" in row
    assert "no data" in next(line for line in page.splitlines() if "Nobody looked" in line)
    assert "![synthetic: one](figures/one.svg)" in page
    assert "Made by `the command`. 1 reproduced, 1 no data, of 2 claims." in page
