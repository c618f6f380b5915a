"""A run shows itself in a notebook, and its results are a table for pandas and polars."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.reports.conftest import FEW, HOSTILE, MakeRun

from shiftgym import DataError, Run
from shiftgym.evaluation.measures import MEASURES
from shiftgym.reports.page import render_report

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def run(make_run: MakeRun) -> Run:
    return Run(str(make_run(**FEW, answer=HOSTILE)))


def test_results_are_a_table_for_pandas_and_polars(run: Run) -> None:
    pandas = pytest.importorskip("pandas")
    table = run.results()
    plain = ["branch", "seed", "step", "fraction", "flops", "flops_paper", "split", "decoding", "problem", *MEASURES]
    assert table.column_names == plain
    assert not [field.name for field in table.schema if field.type.num_fields]
    ours, theirs = pl.DataFrame(table), pandas.DataFrame.from_arrow(table)
    assert ours.shape == theirs.shape == (len((run.folder / "results.jsonl").read_text().splitlines()), len(plain))
    assert ours["success"].mean() == pytest.approx(theirs["success"].mean())
    assert ours["recognised"].null_count() == theirs["recognised"].isna().sum() == len(ours)
    assert run.results(decisions=True).column_names == [*plain, "decisions"]


def test_every_column_is_explained() -> None:
    page = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("notebooks.md", "measures.md"))
    assert not [name for name in ("branch", "flops_paper", "problem", *MEASURES) if f"| `{name}`" not in page]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.usefixtures("drawn_once")
def test_it_shows_its_report_in_a_frame_that_nothing_leaves(run: Run) -> None:
    shown = Tags(run._repr_html_()).found
    assert [tag for tag, _ in shown] == ["p", "b", "iframe"]
    frame = shown[-1][1]
    assert frame["srcdoc"] == render_report(run.folder)
    assert frame["sandbox"] == "allow-scripts", "without allow-same-origin it is a page of its own"
    assert "rule_ood" in repr(run)


def test_what_has_no_results_yet_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes((run.folder / "study.toml").read_bytes())
    waiting = Run(tmp_path)
    assert "no results yet" in repr(waiting) and "no results yet" in waiting._repr_html_()
    with pytest.raises(DataError, match="no results yet"):
        waiting.results()
    with pytest.raises(DataError, match="no run folder"):
        Run(tmp_path / "nothing")
