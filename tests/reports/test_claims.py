"""Claims held against synthetic runs."""

import json
from typing import Any

import pytest

from shiftgym.errors import DataError
from shiftgym.reading import WrongValue, typed
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.claims import Claim, claims_page, hold
from shiftgym.reports.load import load_run

LOSS = Claim(text="SFT loses", paper="it does", study="synthetic", a="sft", split="rule_ood", expect="fall")


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
    assert (len(tested.found.each), tested.found.problems) == (len(analysis.first.seeds), analysis.first.problems)


@pytest.mark.parametrize(("bound", "judgement"), [(0.999, "reproduced"), (0.001, "not reproduced")])
def test_a_claim_may_be_a_bound(analysis: Analysis, bound: float, judgement: str) -> None:
    tested = hold(LOSS.model_copy(update={"below": bound}), analysis)
    assert (tested.judgement, tested.start) == (judgement, None)
    start = next(entry for entry in analysis.entries if entry.name == "sft")
    rate = analysis.rate(start, "rule_ood", "sampled", "success")
    assert rate is not None and tested.found is not None
    assert tested.found.value == rate.value


def test_a_claim_is_judged_as_the_headline_is(analysis: Analysis) -> None:
    assert [hold(LOSS, analysis).found] == [
        condition.difference.interval
        for condition in analysis.effect("rule_ood").conditions
        if condition.wanted == "fell"
    ]
    assert hold(LOSS, analysis).measure == "success"


def test_a_branch_that_did_not_reach_its_end_gives_no_data(make_run: Any) -> None:
    folder = make_run(problems=4)
    for path in (folder / "branches").glob("sft-seed*/results.jsonl"):
        rows = [line for line in path.read_text().splitlines(keepends=True) if json.loads(line)["fraction"] < 1]
        path.write_text("".join(rows))
    (folder / "results.jsonl").unlink(missing_ok=True)
    analysis = Analysis([load_run(folder)])
    assert hold(LOSS, analysis).judgement == "no data"
    page = claims_page("All claims", [LOSS], {"synthetic": analysis}, "the command")
    assert "This run is unfinished" in page


def test_without_a_run_there_is_no_verdict(analysis: Analysis) -> None:
    assert hold(LOSS, None).judgement == "no data"
    assert hold(LOSS.model_copy(update={"measure": "recognised"}), analysis).judgement == "no data"


@pytest.mark.parametrize("changed", [{"a": "ppe"}, {"b": "ppe"}, {"split": "ppe"}, {"measure": "ppe"}])
def test_a_claim_about_nothing_is_refused(analysis: Analysis, changed: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="the study synthetic has no (branch|split|measure) 'ppe'"):
        hold(LOSS.model_copy(update=changed), analysis)


def test_the_page_names_verdict_figure_interval_and_n(analysis: Analysis) -> None:
    claims = [LOSS, LOSS.model_copy(update={"study": "other", "text": "Nobody looked"})]
    analyses = {"synthetic": analysis}
    page = claims_page("All claims", claims, analyses, "the command", {"synthetic": ["figures/one.svg"]})
    (row,) = [line for line in page.splitlines() if "SFT loses" in line]
    found = hold(LOSS, analysis).found
    assert found is not None
    assert f"{100 * found.value:+.1f}".replace("-", "−") in row
    assert "**reproduced**" in row
    assert "no data" in next(line for line in page.splitlines() if "Nobody looked" in line)
    assert "![synthetic: one](figures/one.svg)" in page
    assert "Made by `the command`. 1 reproduced, 1 no data, of 2 claims." in page


def test_a_claim_names_a_measure_that_exists() -> None:
    with pytest.raises(WrongValue) as caught:
        typed(Claim, {**LOSS.model_dump(), "measure": "sucess"})
    assert (caught.value.path, caught.value.reason) == (
        "measure",
        "there is no measure 'sucess'; did you mean 'success'?",
    )
