"""Makes the part of docs/papers.md that has papers, their claims, the studies that test them, and our verdicts.

    python scripts/papers.py                       the page again, after a change of docs/papers.toml
    python scripts/papers.py runs/paper-...        first judge the claims in these run folders

A folder of `make paper` also gives docs/paper-study.md and its figures. Verdicts are kept in docs/papers.json, each
with the commit and day of its run, so the page can be made without any run.
"""

import json
import re
import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from shiftgym.files import with_part, write_text
from shiftgym.layout import SuiteFolder
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.claims import Claim, hold, limits_of, value_of, what_is_measured
from shiftgym.reports.load import load_run
from shiftgym.studies.config import load_study
from shiftgym.studies.suite import suite_file

DOCS = Path(__file__).parents[1] / "docs"
PAPERS, VERDICTS, PAGE = DOCS / "papers.toml", DOCS / "papers.json", DOCS / "papers.md"
LIBRARY = "../src/shiftgym/studies/library"

OPEN = "not judged yet"
"""Said of a claim whose study has not run since the claim was written down."""

Verdicts = dict[str, dict[str, str]]
"""Line of what is measured -> `ours`, `interval`, `n`, `judgement`, and of its run `commit` and `day`."""


def main(folders: list[Path]) -> None:
    papers = tomllib.loads(PAPERS.read_text(encoding="utf-8"))["papers"]
    verdicts: Verdicts = json.loads(VERDICTS.read_text(encoding="utf-8"))
    for folder in folders:
        suite = SuiteFolder(folder)
        if not suite.suite.is_file():
            verdicts |= _judged(folder, papers)
            continue
        record = tomllib.loads(suite.suite.read_text(encoding="utf-8"))
        for study in record["studies"]:
            verdicts |= _judged(suite.run(study).path, papers)
        # Last: a suite with a study that has no results yet is refused before anything is taken from it.
        _take_page(suite, record["name"])
    write_text(VERDICTS, json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n")
    write_text(PAGE, updated(PAGE.read_text(encoding="utf-8"), papers, verdicts))


def _take_page(folder: SuiteFolder, suite: str) -> None:
    """The page of claims of a suite's run and its figures, as they are."""
    shutil.copyfile(folder.claims(suite), DOCS / folder.claims(suite).name)
    figures = DOCS / folder.figures(suite).relative_to(folder.path)
    shutil.rmtree(figures, ignore_errors=True)
    shutil.copytree(folder.figures(suite), figures)


def claims_of(paper: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims of a paper as tables: those of its suite, or its own."""
    if "suite" in paper:
        return list(tomllib.loads(suite_file(paper["suite"]).read_text(encoding="utf-8"))["claims"])
    return list(paper["claims"])


def _tested(papers: list[dict[str, Any]]) -> Iterator[tuple[Claim, Any]]:
    """Every claim that a study tests, and the decoding under which it does."""
    for paper in papers:
        for table in claims_of(paper):
            if "study" in table:
                known = {key: value for key, value in table.items() if key in Claim.model_fields}
                yield Claim(**{"paper": paper["arxiv"], **known}), table.get("decoding")


def _judged(folder: Path, papers: list[dict[str, Any]]) -> Verdicts:
    """The verdicts that the run of a study gives."""
    analysis = Analysis([load_run(folder)])
    study, environment = analysis.first.study["name"], analysis.first.environment()
    found: Verdicts = {}
    for claim, decoding in _tested(papers):
        if claim.study != study:
            continue
        one = hold(claim, analysis, decoding)
        if one.found is None:
            continue
        found[key_of(claim, decoding)] = {
            "ours": value_of(one),
            "interval": limits_of(one),
            "n": f"{len(one.found.each) or 1} × {one.found.problems}",
            "judgement": one.judgement,
            "commit": str(environment.get("git_commit") or "")[:7],
            "day": str(environment.get("started") or "")[:10],
        }
    return found


_study = cache(load_study)


def key_of(claim: Claim, decoding: str | None) -> str:
    """What is measured for a claim, with the decoding where it is not the primary one."""
    compare = _study(claim.study).compare
    measured = claim if claim.measure else claim.model_copy(update={"measure": compare.primary(claim.split)})
    line = what_is_measured(hold(measured, None))
    return f"{line}, {decoding}" if decoding else line


def updated(page: str, papers: list[dict[str, Any]], verdicts: Verdicts) -> str:
    """The page with a table for each paper."""
    lines = ["", "| paper | claims | verdicts |", "|---|---|---|"]
    keys = {(claim.text, claim.study, claim.a, claim.b): key_of(claim, decoding) for claim, decoding in _tested(papers)}
    for paper in papers:
        claims = claims_of(paper)
        counts = Counter(_judgement(table, keys, verdicts) for table in claims)
        told = ", ".join(f"{count} {judgement}" for judgement, count in counts.most_common())
        lines.append(f"| [{paper['name']}](#{_anchor(paper['name'])}) | {len(claims)} | {told} |")
    lines.append("")
    for paper in papers:
        lines += [f"## {paper['name']}", ""]
        about = f"{paper['about']} " if "about" in paper else ""
        lines += [f"{about}[arXiv {paper['arxiv']}](https://arxiv.org/abs/{paper['arxiv']})", ""]
        claims = claims_of(paper)
        if "suite" in paper:
            lines += [
                "[The whole page](paper-study.md), with the verdict on greedy answers and with figures, is written by "
                "`make paper`.",
                "",
            ]
        lines += ["| claim | verdict | ours | study and what is measured | run |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(_row(table, keys, verdicts))} |" for table in claims]
        lines.append("")
    return with_part(page, "papers", "\n".join(lines))


def _judgement(table: dict[str, Any], keys: dict[tuple[str, ...], str], verdicts: Verdicts) -> str:
    """The verdict on a claim in a word or two."""
    if "study" in table:
        return verdicts.get(_key(keys, table), {}).get("judgement", OPEN)
    return "not run here" if "missing" in table else "described"


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _key(keys: dict[tuple[str, ...], str], table: dict[str, Any]) -> str:
    return keys[table["text"], table["study"], table["a"], table.get("b", "init")]


def _row(table: dict[str, Any], keys: dict[tuple[str, ...], str], verdicts: Verdicts) -> list[str]:
    if "missing" in table:
        return [table["text"], f"not run here: {table['missing']}", "", "", ""]
    if "study" not in table:
        return [table["text"], table["found"], "", "", ""]
    key = _key(keys, table)
    study, measured = key.split(": ", 1)
    reported = f"; paper: {table['paper']}" if "paper" in table else ""
    text, told = table["text"] + reported, f"[{study}]({LIBRARY}/{study}.toml): {measured}"
    if key not in verdicts:
        return [text, "; ".join([OPEN, *([table["found"]] if "found" in table else [])]), "", told, ""]
    found = verdicts[key]
    run = f"{found['commit']}, {found['day']}" if found["day"] else found["commit"]
    return [text, f"**{found['judgement']}**", f"{found['ours']} {found['interval']}, {found['n']}", told, run]


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
