"""What a report shows besides its verdicts, on synthetic runs."""

import json
from typing import Any

import numpy as np
import pytest

from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import MANY
from shiftgym.reports.load import load_run


def test_everything_is_ranked_by_its_gain_under_the_shift(analysis: Analysis) -> None:
    ranking = analysis.rankings["rule_ood"]
    assert ranking[0].entry.name == "sft-diverse"
    gains = [ranked.away.interval.value for ranked in ranking]
    assert gains == sorted(gains, reverse=True)
    for ranked in ranking:
        assert analysis.start is not None
        assert ranked.away == analysis.judged(ranked.entry, analysis.start, "rule_ood")
    # SFT and its diverse control are about as good at home; all but the best of each side is beaten at both.
    front = {ranked.entry.name for ranked in ranking if ranked.front}
    assert "sft-diverse" in front
    assert front <= {"sft-diverse", "sft"}


def test_the_primary_view_is_not_among_the_secondary_ones(analysis: Analysis) -> None:
    assert analysis.primary("rule_ood")[:2] == ("sampled", "success")
    assert [view[:2] for view in analysis.secondary("rule_ood")] == [
        ("sampled", "success_1"),
        ("greedy", "success_1"),
        ("greedy", "success"),
    ]
    assert analysis.judged_first == ["rule_ood", "id", "train"]


def test_a_slope_is_the_change_from_rung_to_rung(analysis: Analysis) -> None:
    view, start = analysis.first.views[0], analysis.entries[0]
    found = [analysis.rate(start, split, view.decoding, view.measure) for split in ("train", "id", "rule_ood")]
    rates = [one.value for one in found if one]
    two, three = analysis.slope(start, ["id", "rule_ood"], view), analysis.slope(start, analysis.splits, view)
    assert two is not None and three is not None
    assert two.value == pytest.approx(rates[2] - rates[1], abs=1e-6)
    # Of three rungs only the outer ones matter to a line through them.
    assert three.value == pytest.approx((rates[2] - rates[0]) / 2, abs=1e-6)
    assert three.low < three.value < three.high


def test_the_gap_is_what_trained_problems_have_over_their_like(analysis: Analysis) -> None:
    view, start = analysis.first.views[0], analysis.entries[0]
    trained, like = (analysis.rate(start, split, view.decoding, view.measure) for split in ("train", "id"))
    gap = analysis.gap(start, view)
    assert analysis.gapped
    assert gap is not None and trained is not None and like is not None
    assert gap.value == pytest.approx(trained.value - like.value, abs=1e-6)
    # Nothing pairs the two, so their variances add up: the interval is wider than that of either.
    assert gap.high - gap.low > max(trained.high - trained.low, like.high - like.low)


def test_a_run_says_what_difference_it_can_detect(make_run: Any) -> None:
    analysis = Analysis([load_run(make_run(fractions=(1.0,)))])
    found = [analysis.detected(a, b, "rule_ood") for a, b in analysis.comparisons]
    said = words.measured_power(analysis, "rule_ood")
    assert said is not None
    assert f"is {100 * min(found):.1f} to {100 * max(found):.1f} points" in said
    assert "can detect on rule_ood" in said and "(success with 5 attempts, sampled; 80 % power)" in said


def test_several_answers_to_a_problem_are_not_several_decisions(make_run: Any) -> None:
    folder = make_run(problems=3, fractions=(1.0,), decodings=("sampled",))
    assert not Analysis([load_run(folder)]).several
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    doubled = [json.dumps({**row, "decisions": 2 * row["decisions"]}) + "\n" for row in rows]
    (folder / "results.jsonl").write_text("".join(doubled))
    assert Analysis([load_run(folder)]).several
    study = folder / "study.toml"
    study.write_text(study.read_text().replace("[evaluation]", "[evaluation]\nsamples = 2"))
    assert not Analysis([load_run(folder)]).several


def test_a_slope_of_nothing_is_nothing(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is no share, so the interval of a share does not apply to it."""
    monkeypatch.setattr(analysis, "answers", lambda *_: np.zeros((1, 8)))
    monkeypatch.setattr(Analysis, "backbones", [0])
    found = analysis.slope(analysis.entries[0], ["id", "rule_ood"], analysis.first.views[0])
    assert found is not None and (found.value, found.low, found.high) == (0, 0, 0)


def test_of_very_many_branches_the_chief_ones_are_shown(crowd: Analysis, analysis: Analysis) -> None:
    assert (analysis.shown, analysis.hidden) == (analysis.entries, [])
    names = [branch.name for branch in crowd.drawn]
    declared = ["init", "sft", "ppo", "sft-diverse", "ppo-noisy"]
    assert names[:5] == declared, "what the study names comes first, however bad it is"
    assert len(names) == 1 + MANY
    rates = {
        entry.name: rate.value
        for entry in crowd.entries
        if entry.name.startswith("more") and (rate := crowd.rate(entry, "rule_ood", "greedy", "success"))
    }
    assert min(rates[name] for name in names[5:]) >= max(rates[name] for name in rates if name not in names)
    assert sorted([*crowd.shown, *crowd.hidden], key=crowd.entries.index) == crowd.entries
    assert {entry.branch for entry in crowd.shown} == set(names)
    shown = set(crowd.shown)
    assert all(a in shown and b in shown for a, b in crowd.comparisons)


def test_every_branch_is_ranked_however_many_there_are(crowd: Analysis) -> None:
    ranking = crowd.rankings["rule_ood"]
    assert len(ranking) == len(crowd.entries) - 1
    points = [crowd.point(entry, "rule_ood") for entry in crowd.entries]
    for ranked in ranking:
        x, y = ranked.point
        beaten = any(other != (x, y) and other[0] >= x and other[1] >= y for other in points)
        assert ranked.front != beaten
