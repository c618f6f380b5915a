"""What a reader has to know before the numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shiftgym.evaluation.summaries import Summary
from shiftgym.reports import page, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.cautions import LISTED, cautions, never_right, unanswered
from shiftgym.reports.claims import Claim, hold
from shiftgym.reports.comparison import MANY
from shiftgym.reports.load import load_run
from shiftgym.reports.page import build_report
from shiftgym.reports.runs import LoadedRun
from shiftgym.reports.tables import change_rows, gap_rows, primary_rows, rate_rows, slope_rows
from shiftgym.reports.terminal import result_table

Row = dict[str, Any]
WRONG = {"success_1": 0.0, "success": 0.0, "whole": 0.0, "per_step": 0.0}
RIGHT = {"success_1": 1.0, "success": 1.0, "whole": 1.0, "per_step": 1.0}


def changed(folder: Path, change: Callable[[Row], Row]) -> Analysis:
    """The run with every row changed."""
    path = folder / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, **change(row)}) + "\n" for row in rows))
    return Analysis([load_run(folder)])


def wrong(*outcomes: str) -> Row:
    decision = {"outcomes": list(outcomes), "right": 0, "style": "none", "kinds": []}
    return {**WRONG, "decisions": [decision]}


@pytest.fixture
def small(make_run: Any, few: Row) -> Path:
    return make_run(**few | {"seeds": (0, 1), "splits": ("train", "id", "rule_ood"), "fractions": (1.0,)})


def summary(split: str, **means: float | None) -> Summary:
    known = {"success": 0.5, "cut": None, "empty": None, "too_long": None} | means
    return Summary("sft", 0, 1, 1.0, split, "greedy", 10, 0.0, 0.0, known, decisions=10, first={"illegal": 1.0})


def test_a_study_in_which_nothing_was_right_says_so_and_why(small: Path) -> None:
    found = changed(small, lambda _: {**wrong("illegal", "wrong_value"), "cut": 0.75, "empty": 0.0, "too_long": 0.0})
    assert cautions(found)[0] == (
        "No answer was ever right on any split. Of the first answers there, 100.0 % were illegal. Of all answers "
        "there, 75.0 % were cut off."
    )
    assert words.headline(found, "rule_ood") == (
        "No greedy answer of start, SFT and PPO was right on rule_ood, so they cannot be told apart by success with "
        "one attempt, greedy"
    )
    assert "(ties: both never right)" in words.match(found, "rule_ood")
    assert words.measured_power(found, "rule_ood") is None
    claim = Claim(text="t", paper="p", study="synthetic", a="ppo", b="init", split="rule_ood", expect="rise")
    assert hold(claim, found).alike == "both never right"
    cells = [cell for _, row in primary_rows(found, "rule_ood", found.entries) for cell in row if cell.text]
    assert {(cell.text, cell.small[0], cell.verdict) for cell in cells} == {
        ("0.0", "never right", ""),
        ("0.0", "both never right", ""),
    }
    for rows in (gap_rows(found), slope_rows(found, ["id", "rule_ood"])):
        assert {cell.small[0] for _, row in rows for cell in row} == {"never right"}


def test_neither_page_nor_terminal_has_a_verdict_on_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(small, lambda _: wrong("illegal"))
    Console(width=80).print(result_table(small))
    printed = capsys.readouterr().out
    # Drawing takes most of the time of a report.
    monkeypatch.setattr(page, "inline_svg", lambda *_: "")
    monkeypatch.setattr(page, "save", lambda *_: None)
    summed = build_report(small).read_text(encoding="utf-8").partition('<section id="method">')[0]
    for text in (printed, summed):
        assert "No answer was ever right on any split" in text
        assert not {said for said in ("Undecided", "undecided\n", "undecided<", "did not appear") if said in text}


def test_where_everything_was_right_nothing_can_be_told_apart_either(small: Path) -> None:
    found = changed(small, lambda row: RIGHT if row["split"] == "rule_ood" else {})
    assert words.headline(found, "rule_ood") == (
        "Start, SFT and PPO are always right on rule_ood, so they cannot be told apart by success with one attempt, "
        "greedy"
    )
    assert primary_rows(found, "rule_ood", found.entries)[1][1][1].small == ["both always right"]
    assert cautions(found) == []


def test_a_branch_that_left_the_floor_is_still_judged(make_run: Any, few: Row) -> None:
    folder = make_run(**few | {"seeds": (0, 1), "problems": 40, "fractions": (1.0,)})
    found = changed(folder, lambda row: RIGHT if row["branch"] == "ppo" else wrong("illegal"))
    assert words.headline(found, "rule_ood").startswith(
        "Undecided: on rule_ood, SFT stayed at 0.0 % and PPO rose by 100.0 points"
    )
    assert cautions(found) == []


def test_only_splits_without_a_right_answer_are_named() -> None:
    told = never_right([summary("id"), summary("rule_ood", success=0.0), summary("far", success=0.0, empty=0.5)])
    assert told == (
        "No answer was ever right on rule_ood and far. Of the first answers there, 100.0 % were illegal. Of all "
        "answers there, 50.0 % were empty."
    )
    assert never_right([summary("id")]) is None


def test_a_noticeable_share_of_answers_that_were_not_given_is_told_with_its_setting() -> None:
    places = {
        "start on id, greedy": [summary("id", cut=0.95, empty=0.05, too_long=0.0)],
        "SFT on id, greedy": [
            summary("id", cut=0.04, empty=0.3, too_long=0.3),
            summary("id", cut=0.06, empty=0.3, too_long=0.3),
        ],
        "PPO on id, greedy": [summary("id")],
    }
    cut, empty, too_long = unanswered(places, 64)
    assert cut == (
        "Answers were cut off: 95.0 % of start on id, greedy; 5.0 % of SFT on id, greedy. Raise "
        "evaluation.max_new_tokens (now 64)."
    )
    assert empty.startswith("Answers were empty: 5.0 % of start on id, greedy. If they were cut off too")
    assert (
        "are missing: 30.0 % of SFT on id, greedy. Lower task.limit or evaluation.max_new_tokens (now 64)" in too_long
    )
    assert unanswered({"id, greedy": [summary("id", cut=0.04, empty=0.0, too_long=0.0)]}, 96) == []
    assert len(unanswered({"id, greedy": [summary("id", cut=0.04, empty=0.0, too_long=0.0)]}, 96, least=0)) == 1


def test_many_places_are_counted() -> None:
    places = {f"{index}": [summary("id", cut=share)] for index, share in enumerate((0.2, 0.5, 0.4, 0.3, 0.6))}
    (told,) = unanswered(places, 96)
    assert told.startswith(
        "Answers were cut off: 60.0 % of 4; 50.0 % of 1; 40.0 % of 2; 30.0 % of 3; and 1 more, and not less than "
        "20.0 % anywhere. Raise"
    )


def test_ends_of_answers_are_columns_where_there_are_any(small: Path) -> None:
    found = changed(small, lambda row: {"cut": 0.5 * (row["split"] == "id"), "empty": 0.0, "too_long": 0.0})
    heads = {split: [cell.head for cell in rate_rows(found, split)[0][1]] for split in ("id", "rule_ood")}
    assert [head for head in heads["id"] if head not in heads["rule_ood"]] == ["cut off, greedy"]
    assert not {"empty, greedy", "too long, greedy"} & {*heads["id"]}
    assert change_rows(found, "id")


def test_a_branch_that_had_nothing_to_learn_from_is_named(small: Path) -> None:
    metrics = small / "branches" / "ppo-seed1" / "metrics.jsonl"
    metrics.write_text('{"step": 1, "loss": 0.0, "rewards_alike": 1.0}\n{"step": 2, "lo', encoding="utf-8")
    assert cautions(Analysis([load_run(small)])) == [
        "ppo-seed1: 1 of 1 steps had nothing to learn from: all rewards were alike."
    ]


def test_of_many_branches_that_learned_nothing_a_few_are_named(
    crowd: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = {f"more-{number}-seed0": "nothing" for number in range(MANY + 4)}
    monkeypatch.setattr(LoadedRun, "idle", idle)
    found = [line for line in cautions(crowd) if "nothing" in line]
    assert len(found) == LISTED + 1
    assert found[0] == "more-0-seed0: nothing."
    assert found[-1].startswith(f"{len(idle) - LISTED} more branches")
    monkeypatch.setattr(LoadedRun, "idle", dict(list(idle.items())[:MANY]))
    assert len([line for line in cautions(crowd) if "nothing" in line]) == MANY
