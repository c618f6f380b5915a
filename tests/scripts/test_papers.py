"""The page of papers is made from their claims and from verdicts, and says plainly where there is none."""

import json
import tomllib

from scripts import papers

SFT = {
    "name": "SFT",
    "arxiv": "1",
    "claims": [
        {"text": "falls", "study": "points-text", "a": "sft", "split": "rule_ood", "expect": "fall"},
        {"text": "falls by greed", "study": "points-text", "a": "sft", "split": "rule_ood", "decoding": "greedy"},
        {"text": "grows wings", "missing": "no wings here"},
    ],
}


def test_the_page_is_the_one_that_its_data_give():
    page = papers.PAGE.read_text(encoding="utf-8")
    tables = tomllib.loads(papers.PAPERS.read_text(encoding="utf-8"))["papers"]
    assert papers.updated(page, tables, json.loads(papers.VERDICTS.read_text(encoding="utf-8"))) == page


def test_a_claim_has_the_verdict_of_its_own_measure_and_decoding():
    found = {"ours": "+6.2", "interval": "[+0.2, +12.2]", "n": "5 × 128", "judgement": "not reproduced"}
    verdicts = {"points-text: sft − init, rule_ood, success": {**found, "commit": "abc", "day": "2026-11-28"}}
    page = papers.updated("<!-- begin papers -->\n<!-- end papers -->", [SFT], verdicts)
    first, second, third = [line for line in page.split("\n") if line.startswith(("| falls", "| grows"))]
    assert (
        first.startswith("| falls | **not reproduced** | +6.2 [+0.2, +12.2], 5 × 128 |")
        and "| abc, 2026-11-28 |" in first
    )
    assert "not judged yet" in second
    assert "not run here: no wings here" in third
