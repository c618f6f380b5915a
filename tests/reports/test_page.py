"""The page: complete, closed, offline, and safe against what a model may answer."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shiftgym.errors import DataError
from shiftgym.reports import page, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import MANY
from shiftgym.reports.load import load_run
from shiftgym.reports.page import build_report
from shiftgym.reports.terminal import result_table


class Tags(HTMLParser):
    """Counts tags and checks that they close in order."""

    VOID = frozenset({"meta", "br", "input", "link", "img", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.texts: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if "id" in values:
            self.ids.append(str(values["id"]))
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def test_the_page_is_well_formed_and_its_ids_are_unique(report: Path) -> None:
    tags = Tags(report.read_text(encoding="utf-8"))
    assert len(tags.ids) == len(set(tags.ids))
    assert tags.counts["h1"] == 1
    assert tags.counts["svg"] >= 25
    assert tags.counts["script"] == 2


def test_every_part_is_there_in_order(report: Path) -> None:
    sections = re.findall(r'<section id="(\w+)"', report.read_text(encoding="utf-8"))
    assert sections == [
        "summary", "trajectory", "primary", "secondary", "success", "curves", "ranking", "reading", "ladders", "probes",
        "outcomes", "styles", "episodes", "backbone", "method", "progress", "settings", "environment",
    ]  # fmt: skip


def test_the_page_loads_nothing(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert not re.search(r'\bsrc="|\bhref="(?!#)|<link|<iframe|<object', text)
    assert "@import" not in text
    assert "url(http" not in text
    assert report.stat().st_size < 5e6


def board_of(text: str) -> dict[str, Any]:
    """The first table of values that a page carries."""
    found = re.search(r'<script type="application/json" class="board"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_a_model_answer_or_card_cannot_break_out(report: Path, hostile: str) -> None:
    text = report.read_text(encoding="utf-8")
    answers = {attempt[0] for of in board_of(text)["episodes"].values() for one in of["decisions"] for attempt in one}
    assert answers == {hostile}
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "\0" not in text
    assert "<h3>Card</h3>" in text
    assert "license: x" not in text.split('id="settings"')[0]


def test_paper_figures_are_written(report: Path) -> None:
    names = {path.name for path in (report.parent / "figures").iterdir()}
    for stem in (
        "trajectory-rule_ood",
        "trajectory-secondary-rule_ood",
        "success-flops",
        "success-flops_paper",
        "reading-rule_ood",
        "outcomes-greedy",
        "pareto-rule_ood",
    ):
        assert {f"{stem}.svg", f"{stem}.png"} <= names
    assert "<text" in (report.parent / "figures" / "success-flops.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_two_backbones_unfinished_make_a_page(make_run: Any, few: dict[str, Any]) -> None:
    options = {**few, "finished": False, "fractions": (1.0,)}
    first, second = make_run(model="one", **options), make_run(model="two", **options)
    text = build_report(first, [second]).read_text(encoding="utf-8")
    Tags(text)
    assert "This run is unfinished" in text
    assert "all backbones" in text
    assert (first / "figures" / "two-success-flops.png").exists()
    assert not (second / "report.html").exists()


def test_the_terminal_table_fits_80_columns(make_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80).print(result_table(make_run(problems=20, fractions=(0.5, 1.0))))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert any("PPO" in line for line in lines)
    assert any("rule_ood (shifted): success with 5 attempts, sampled" in line for line in lines)
    assert any("Secondary measures" in line for line in lines)


def test_a_folder_without_a_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run folder"):
        build_report(tmp_path / "nothing")


def test_a_report_on_pictures_shows_them_and_what_was_recognised(make_run: Any, few: dict[str, Any]) -> None:
    folder = make_run(**{**few, "modality": "vision", "problems": 14, "fractions": (1.0,)})
    text = build_report(folder).read_text(encoding="utf-8")
    shown = [picture for of in board_of(text)["problems"].values() for (picture,) in of["pictures"]]
    assert len(shown) == len(set(shown)) == 2 * 12, "each problem's picture stands in the page once"
    assert all(url.startswith("data:image/png;base64,") for url in shown)
    assert "Recognition and success" in text
    assert (folder / "figures" / "recognition-greedy.svg").is_file()


def test_ladders_and_probes_have_a_section_each(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    probes = text[text.index('<section id="probes"') : text.index('<section id="outcomes"')]
    heads = ("pass@2", "retained", "copied", "memorised: reordered")
    for said in (*heads, "1.75", "1.25 to 2.25", "2.50", "75.0", "87.5", "12.5", "25.0"):
        assert said in probes, said
    ladders = text[text.index('<section id="ladders"') : text.index('<section id="probes"')]
    assert ladders.count("<svg") == 4
    assert (report.parent / "figures" / "ladder-rule.png").is_file()


def test_the_headline_comes_first_then_the_picture_then_the_primary_table(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    analysis = Analysis([load_run(report.parent)])
    headline = words.headline(analysis, "rule_ood")
    after = text[text.index(f"<h1>{headline}.</h1>") :]
    assert "<p>A note.</p>" in after.split("</section>")[0]
    assert after.index("<svg") < after.index("<table")
    # The first panel and the first table are those of the primary measure.
    assert after.index("<figcaption>rule_ood: success with 5 attempts, sampled") < after.index("<svg")
    first = after[after.index("<table") : after.index("</table>")]
    assert "rule_ood (shifted): success with 5 attempts, sampled" in first
    for condition in analysis.effect("rule_ood").conditions[:2]:
        found = condition.difference.interval
        assert f"<b>{words.signed(found.value)}</b> {condition.difference.verdict}<small>{words.limits(found)}" in first


def test_every_section_is_in_the_table_of_contents(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    contents = text[text.index('<nav class="contents"') : text.index("</nav>")]
    sections = re.findall(r'<section id="(\w+)"', text)
    assert re.findall(r'href="#(\w+)"', contents) == [name for name in sections if name != "summary"]


def test_secondary_tables_are_folded(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    for name in ("secondary", "styles", "probes"):
        section = text[text.index(f'<section id="{name}"') :].split("</section>")[0]
        outside = re.sub(r"<details>.*</details>", "", section, flags=re.DOTALL)
        assert "<table" in section
        assert "<table" not in outside


def test_a_report_on_text_speaks_of_no_pictures(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert "Recognition" not in text
    assert "recognition" not in text.split('id="settings"')[0]


def test_a_page_on_very_many_branches_folds_most_of_them(
    crowd_folder: Path, crowd: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Drawing takes most of the time of a report.
    monkeypatch.setattr(page, "inline_svg", lambda *_: "")
    monkeypatch.setattr(page, "save", lambda *_: None)
    text = build_report(crowd_folder).read_text(encoding="utf-8")
    Tags(text)
    assert words.shown(crowd) in text
    for name in ("primary", "ranking"):
        section = text[text.index(f'<section id="{name}"') :].split("</section>")[0]
        outside = re.sub(r"<details>.*?</details>", "", section, flags=re.DOTALL)
        tables = outside.count("<table")
        assert outside.count('<th scope="row">') <= (MANY + 2) * tables
        assert section.count('<th scope="row">') == tables * (len(crowd.entries) - (name == "ranking"))
    episodes = board_of(text)["episodes"].values()
    assert {episode["branch"] for episode in episodes} == {branch.name for branch in crowd.drawn}


def test_the_terminal_table_of_very_many_branches_is_short(crowd_folder: Path, crowd: Analysis, tmp_path: Path) -> None:
    with (tmp_path / "out.txt").open("w") as file:
        Console(file=file, width=80).print(result_table(crowd_folder), highlight=False)
    text = (tmp_path / "out.txt").read_text()
    assert text.count("Branch more-") < 5 * MANY
    assert "results.jsonl has the rows of all." in " ".join(text.split())
