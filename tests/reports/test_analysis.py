"""What is compared, and the sentences chosen from it, on synthetic runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from shiftgym.errors import DataError
from shiftgym.reports import words
from shiftgym.reports.analysis import EARLY, Analysis
from shiftgym.reports.runs import check_poolable, load_run


def analysis_of(*folders: Path) -> Analysis:
    return Analysis([load_run(folder) for folder in folders])


START = (0.55, 0.35, 0.25)


def test_entries_are_the_start_main_branches_early_sft_and_controls(make_run: Any) -> None:
    analysis = analysis_of(make_run())
    assert [entry.name for entry in analysis.entries] == ["init", "sft", "ppo", EARLY, "sft-diverse", "ppo-noisy"]
    assert analysis.home == "id"
    assert analysis.shifted == ["rule_ood"]


def test_early_sft_is_the_first_checkpoint_with_rl_s_success_at_home(make_run: Any) -> None:
    analysis = analysis_of(make_run())
    early = next(entry for entry in analysis.entries if entry.name == EARLY)
    assert analysis.rl is not None
    target = analysis.rate(analysis.rl, "id", "sampled", "success_1")
    (run,) = analysis.runs
    (stop,) = early.fractions
    for fraction in run.cube.checkpoints("sft"):
        reached = run.cube.answers("success_1", "sft", fraction, "id", "sampled").mean() >= target.value
        assert reached or fraction != stop
        assert not (reached and fraction < stop)


def test_differences_are_paired_and_agree_with_the_rates(make_run: Any) -> None:
    analysis = analysis_of(make_run())
    sft, start = analysis.sft, analysis.start
    assert sft is not None
    assert start is not None
    change = analysis.change(sft, start, "rule_ood", "greedy", "success_1")
    rates = [analysis.rate(entry, "rule_ood", "greedy", "success_1") for entry in (sft, start)]
    assert change.value == pytest.approx(rates[0].value - rates[1].value)
    assert len(change.each) == 3
    assert change.sign == -1


def test_a_measure_that_applies_to_nothing_has_no_rate(make_run: Any) -> None:
    analysis = analysis_of(make_run())
    assert analysis.rate(analysis.entries[0], "id", "greedy", "perseverated") is None


@pytest.mark.parametrize(
    ("sft", "ppo", "verdict"),
    [
        ((0.97, 0.1, 0.5), (0.8, 0.65, 0.2), "The effect appeared: on rule_ood, SFT fell and PPO rose"),
        ((0.97, 0.1, 0.5), (0.8, 0.35, 0.2), "Half of the effect appeared: on rule_ood, SFT fell and PPO showed"),
        (
            (0.97, 0.8, 0.0),
            (0.8, 0.6, 0.2),
            "The effect did not appear: on rule_ood, SFT and PPO both rose, and SFT ended",
        ),
        ((0.97, 0.6, 0.1), (0.8, 0.1, 0.6), "The effect did not appear: on rule_ood, SFT rose and PPO fell"),
        ((0.97, 0.35, 0.25), (0.8, 0.35, 0.25), "Undecided: on rule_ood, SFT and PPO both showed no clear change"),
    ],
)
def test_the_headline_follows_the_intervals(make_run: Any, sft: Any, ppo: Any, verdict: str) -> None:
    rates = {"init": START, "sft": sft, "ppo": ppo, "sft-diverse": (0.9, 0.9, 0.0), "ppo-noisy": (0.5, 0.02, 0.7)}
    analysis = analysis_of(make_run(rates=rates, problems=150, fractions=(1.0,)))
    assert words.headline(analysis, "rule_ood").startswith(verdict)


def test_everything_is_ranked_by_its_gain_under_the_shift(make_run: Any) -> None:
    analysis = Analysis([load_run(make_run())])
    ranking = analysis.rankings["rule_ood"]
    assert ranking[0].entry.name == "sft-diverse"
    assert [ranked.away.value for ranked in ranking] == sorted((ranked.away.value for ranked in ranking), reverse=True)
    for ranked in ranking:
        views = analysis.changes(ranked.entry, analysis.start, "rule_ood").views.values()
        assert ranked.away.value == pytest.approx(sum(view.value for view in views) / len(views), abs=1e-6)
    # SFT and its diverse control are about as good at home; all but the best of each side is beaten at both.
    front = {ranked.entry.name for ranked in ranking if ranked.front}
    assert "sft-diverse" in front
    assert front <= {"sft-diverse", "sft"}


def test_a_slope_is_the_change_from_rung_to_rung(make_run: Any) -> None:
    analysis = Analysis([load_run(make_run())])
    view, start = analysis.views[0], analysis.start
    rates = [analysis.rate(start, split, view.decoding, view.measure).value for split in ("train", "id", "rule_ood")]
    assert analysis.slope(start, ["id", "rule_ood"], view).value == pytest.approx(rates[2] - rates[1], abs=1e-6)
    # Of three rungs only the outer ones matter to a line through them.
    slope = analysis.slope(start, ["train", "id", "rule_ood"], view)
    assert slope.value == pytest.approx((rates[2] - rates[0]) / 2, abs=1e-6)
    assert slope.low < slope.value < slope.high


def test_the_gap_is_what_trained_problems_have_over_their_like(make_run: Any) -> None:
    analysis = Analysis([load_run(make_run())])
    view, start = analysis.views[0], analysis.start
    trained, like = (analysis.rate(start, split, view.decoding, view.measure) for split in ("train", "id"))
    gap = analysis.gap(start, view)
    assert analysis.gapped
    assert gap.value == pytest.approx(trained.value - like.value, abs=1e-6)
    # Nothing pairs the two, so their variances add up: the interval is wider than that of either.
    assert gap.high - gap.low > max(trained.high - trained.low, like.high - like.low)


def test_a_branch_that_starts_from_another_begins_there(make_run: Any) -> None:
    folder = make_run()
    study = folder / "study.toml"
    study.write_text(
        study.read_text().replace("[branches.ppo-noisy]", '[branches.ppo-noisy]\nstart = "sft"\nstart_at = 0.4')
    )
    analysis = Analysis([load_run(folder)])
    later = next(branch for branch in analysis.first.branches if branch.name == "ppo-noisy")
    curve = analysis.curve(later)
    assert [(entry.branch, entry.fractions) for entry in curve[:2]] == [("sft", (0.4,)), ("ppo-noisy", (0.1,))]
    spent = analysis.first.cube.compute["flops"]
    cube = analysis.first.cube
    own = spent[cube.branches["ppo-noisy"], cube.fractions[0.1]].mean()
    before = spent[cube.branches["sft"], cube.fractions[0.4]].mean()
    assert analysis.compute(curve[1], "flops") == pytest.approx(own + before)
    assert analysis.compute(curve[0], "flops") == pytest.approx(before)


def test_every_control_that_ties_or_wins_is_named(make_run: Any) -> None:
    named = words.match(analysis_of(make_run()), "rule_ood")
    assert "SFT, random rules (beats it in" in named
    assert "noisy" not in named


def test_early_sft_is_named_when_it_ties(make_run: Any) -> None:
    fast = (0.97, 0.35, 0.25)
    poor = (0.5, 0.02, 0.7)
    rates = {"init": START, "sft": fast, "ppo": (0.65, 0.35, 0.25), "sft-diverse": poor, "ppo-noisy": poor}
    named = words.match(analysis_of(make_run(rates=rates)), "rule_ood")
    assert "SFT, stopped early" in named
    assert "random rules" not in named


def test_early_sft_is_no_entry_of_its_own_where_it_is_the_end(make_run: Any) -> None:
    never = {"init": START, "sft": (0.5, 0.1, 0.25), "ppo": (0.9, 0.35, 0.25)}
    rates = {**never, "sft-diverse": (0.5, 0.02, 0.7), "ppo-noisy": (0.5, 0.02, 0.7)}
    analysis = analysis_of(make_run(rates=rates))
    best = max(analysis.first.cube.checkpoints("sft"), key=lambda at: at)
    assert analysis.sft is not None and analysis.sft.fractions == (best,)
    assert EARLY not in [entry.name for entry in analysis.entries]


def test_an_unfinished_run_says_what_is_missing(make_run: Any) -> None:
    analysis = analysis_of(make_run(finished=False))
    assert "ppo-noisy seed 0" in str(words.unfinished(analysis))
    assert "ppo-noisy" not in [entry.name for entry in analysis.entries]
    assert words.unfinished(analysis_of(make_run())) is None


def test_a_run_with_only_its_start_has_nothing_to_compare(make_run: Any) -> None:
    folder = make_run(finished=False)
    for path in folder.glob("branches/*/results.jsonl"):
        if not path.parent.name.startswith("init"):
            path.unlink()
    assert words.headline(analysis_of(folder), "rule_ood").startswith("Nothing to compare yet")


def test_two_backbones_are_pooled_as_clusters_of_seeds(make_run: Any) -> None:
    folders = make_run(model="one"), make_run(model="two", rates={"init": START, "sft": (0.9, 0.3, 0.3), "ppo": START,
        "sft-diverse": START, "ppo-noisy": START})  # fmt: skip
    analysis = analysis_of(*folders)
    check_poolable(analysis.runs)
    assert analysis.backbones == [0, 0, 0, 1, 1, 1]
    assert analysis.sft is not None
    assert analysis.start is not None
    pooled = analysis.change(analysis.sft, analysis.start, "rule_ood", "greedy", "success_1")
    alone = [analysis_of(folder) for folder in folders]
    each = [one.change(one.sft, one.start, "rule_ood", "greedy", "success_1").value for one in alone]
    assert pooled.value == pytest.approx(sum(each) / 2)
    assert len(pooled.each) == 6
    assert "2 backbones (one and two)" in words.scope(analysis)


def test_runs_that_are_not_the_same_study_are_not_pooled(make_run: Any) -> None:
    with pytest.raises(DataError, match="a backbone occurs twice"):
        check_poolable([load_run(make_run()), load_run(make_run())])
    with pytest.raises(DataError, match=r"\[seeds\] differs"):
        check_poolable([load_run(make_run()), load_run(make_run(model="other", seeds=(0, 1)))])


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (lambda folder: (folder / "study.toml").unlink(), "no run folder"),
        (lambda folder: (folder / "study.toml").write_text("= 3"), "no valid TOML"),
        (lambda folder: (folder / "study.toml").write_text("name = 'x'"), "'title' is missing"),
        (lambda folder: (folder / "results.jsonl").write_text("{"), "not a results file"),
        (lambda folder: (folder / "results.jsonl").write_text(""), "no results yet"),
        (lambda folder: (folder / "environment.json").write_text("[]"), "a JSON object was expected"),
    ],
)
def test_a_broken_run_folder_is_one_clear_line(make_run: Any, break_it: Any, complaint: str) -> None:
    folder = make_run(problems=2, fractions=(1.0,))
    break_it(folder)
    with pytest.raises(DataError, match=complaint) as caught:
        load_run(folder).environment()
    assert "\n" not in str(caught.value)


def test_a_model_card_is_read_from_the_model_directory(make_run: Any, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Seen", encoding="utf-8")
    assert load_run(make_run(model=str(tmp_path), problems=2, fractions=(1.0,))).model_card() == "# Seen"
    assert load_run(make_run(problems=2, fractions=(1.0,))).model_card() is None


def test_kept_episodes_are_read_with_their_line_when_broken(make_run: Any) -> None:
    folder = make_run(problems=2, fractions=(1.0,))
    path = next(folder.glob("branches/*/evaluation_episodes.jsonl"))
    path.write_text(json.dumps({}) + "\nbroken\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"evaluation_episodes\.jsonl:2"):
        list(load_run(folder).episodes())


def test_a_run_says_what_it_can_tell_from_zero(make_run: Any) -> None:
    analysis = analysis_of(make_run(fractions=(1.0,)))
    found = [analysis.detected(a, b, "rule_ood", "greedy", "success") for a, b in analysis.comparisons]
    said = words.measured_power(analysis, "rule_ood", "greedy", "success")
    assert said is not None
    assert f"of {100 * min(found):.1f} to {100 * max(found):.1f} points" in said
    assert "from zero on rule_ood (5 attempts, greedy; 80 % power)" in said
    assert words.measured_power(analysis, "id", "greedy", "recognised") is None, "in text nothing is recognised"


def test_several_answers_to_a_problem_are_not_several_decisions(make_run: Any) -> None:
    folder = make_run(problems=3, fractions=(1.0,), decodings=("sampled",))
    assert not analysis_of(folder).several
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    doubled = [json.dumps({**row, "decisions": 2 * row["decisions"]}) + "\n" for row in rows]
    (folder / "results.jsonl").write_text("".join(doubled))
    assert analysis_of(folder).several
    study = folder / "study.toml"
    study.write_text(study.read_text().replace("[evaluation]", "[evaluation]\nsamples = 2"))
    assert not analysis_of(folder).several
