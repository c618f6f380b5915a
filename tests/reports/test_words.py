"""Sentences, chosen by intervals."""

from typing import Any

import pytest

from shiftgym.evaluation.statistics import Interval
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import MANY, Comparison, Condition, Difference, Effect, Verdict
from shiftgym.reports.entries import EARLY
from shiftgym.reports.load import load_run

UP, DOWN, FLAT = Interval(0.0938, 0.0312, 0.1641), Interval(-0.1234, -0.1603, -0.0811), Interval(-0.021, -0.06, 0.018)


def told(monkeypatch: pytest.MonkeyPatch, analysis: Analysis, *found: Interval) -> str:
    """The headline where these are the differences of SFT, of PPO, and between them."""
    start, sft, ppo = analysis.start, analysis.supervised, analysis.reinforced
    assert start and sft and ppo
    wanted: tuple[Verdict, ...] = ("fell", "rose", "rose")
    pairs = ((sft, start), (ppo, start), (ppo, sft))
    conditions = [
        Condition(Difference(*pair, one), verdict) for pair, one, verdict in zip(pairs, found, wanted, strict=False)
    ]
    monkeypatch.setattr(Comparison, "effect", lambda *_: Effect(tuple(conditions)))
    return words.headline(analysis, "rule_ood").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            (DOWN, UP, UP),
            "The effect appeared: on rule_ood, SFT fell by 12.3 points [8.1, 16.0] and PPO rose by 9.4 points "
            "[3.1, 16.4] in success with 5 attempts, sampled",
        ),
        (
            (FLAT, UP, FLAT),
            "Undecided: on rule_ood, SFT changed by −2.1 points [−6.0, +1.8] and PPO rose by 9.4 points [3.1, 16.4] "
            "in success with 5 attempts, sampled; it is undecided whether SFT fell and PPO ended above SFT",
        ),
        (
            (UP, UP, DOWN),
            "The effect did not appear: on rule_ood, SFT rose by 9.4 points [3.1, 16.4] and PPO rose by 9.4 points "
            "[3.1, 16.4] in success with 5 attempts, sampled; PPO ended 12.3 points [8.1, 16.0] below SFT",
        ),
        ((DOWN,), "On rule_ood, SFT fell by 12.3 points [8.1, 16.0] in success with 5 attempts, sampled"),
    ],
)
def test_the_headline_follows_the_intervals(
    monkeypatch: pytest.MonkeyPatch, analysis: Analysis, found: tuple[Interval, ...], sentence: str
) -> None:
    assert told(monkeypatch, analysis, *found) == sentence


def test_a_run_with_only_its_start_has_nothing_to_compare(make_run: Any) -> None:
    folder = make_run(finished=False, problems=4, fractions=(1.0,))
    for path in folder.glob("branches/*/results.jsonl"):
        if not path.parent.name.startswith("init"):
            path.unlink()
    analysis = Analysis([load_run(folder)])
    assert words.headline(analysis, "rule_ood").startswith("Nothing to compare on rule_ood yet")
    assert words.match(analysis, "rule_ood").startswith("There is no reinforced branch")


def test_every_control_that_ties_or_wins_is_named(monkeypatch: pytest.MonkeyPatch, analysis: Analysis) -> None:
    named = words.match(analysis, "rule_ood")
    assert "SFT, random rules (" in named and "above it)" in named
    assert "noisy" not in named
    _, _, ppo, early, diverse, _ = analysis.entries
    monkeypatch.setattr(Comparison, "rivals", lambda *_: [Difference(early, ppo, FLAT), Difference(diverse, ppo, UP)])
    assert words.match(analysis, "rule_ood").replace("\u00a0", " ") == (
        "What ties with or beats PPO there by this measure: SFT, stopped early (ties: −2.1 [−6.0, +1.8]); "
        "SFT, random rules (9.4 points [3.1, 16.4] above it)."
    )
    monkeypatch.setattr(Comparison, "rivals", lambda *_: [])
    assert "nothing else ties with or beats PPO" in words.match(analysis, "rule_ood")


def test_early_sft_says_by_what_it_was_chosen(analysis: Analysis) -> None:
    (early,) = [entry for entry in analysis.entries if entry.name == EARLY]
    said = str(words.stopped_early(analysis))
    assert "success with 5 attempts, sampled, on id" in said
    assert f"{100 * early.fractions[0]:g} % of the budget" in said


def test_an_unfinished_run_says_what_is_missing(make_run: Any, analysis: Analysis) -> None:
    unfinished = Analysis([load_run(make_run(finished=False, problems=4, fractions=(1.0,)))])
    assert "ppo-noisy seed 0" in str(words.unfinished(unfinished))
    assert words.unfinished(analysis) is None


def test_the_scope_names_backbones_seeds_and_problems(analysis: Analysis) -> None:
    assert words.scope(analysis).startswith("1 backbone (no-such-backbone), 3 seeds of post-training, 60 problems")


def test_of_many_rivals_the_best_are_named(crowd: Analysis, analysis: Analysis) -> None:
    rivals = crowd.rivals("rule_ood")
    told = words.match(crowd, "rule_ood")
    assert len(rivals) > MANY
    assert told.endswith(f"; and {len(rivals) - 6} more.") and told.count("(") == 6
    best = max(rivals, key=lambda one: one.interval.value)
    assert f": {best.a.label} (" in told
    assert " more" not in words.match(analysis, "rule_ood")


def test_it_is_told_which_branches_have_no_room(crowd: Analysis, analysis: Analysis) -> None:
    assert words.shown(analysis) is None
    told = words.shown(crowd) or ""
    assert told.startswith(f"There are {len(crowd.first.branches) - 1} branches beside the start.")
    assert f"episodes show {MANY}: " in told and "success with one attempt, greedy, on rule_ood" in told


def test_of_many_seeds_the_range_is_told() -> None:
    few, many = (Interval(0.0, 0.0, 0.0, tuple(value / 100 for value in range(-count, count))) for count in (2, 50))
    assert words.seeds(few) == ["seeds −2.0, −1.0, +0.0, +1.0"]
    assert words.seeds(many) == ["100 seeds from −50.0 to +49.0"]
    assert words.seeds(Interval(0.0, 0.0, 0.0, (0.1,))) == []
