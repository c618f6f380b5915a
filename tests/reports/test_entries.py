"""Which checkpoints a report speaks of, on synthetic runs."""

from typing import Any

from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import EARLY, EARLY_MARGIN
from shiftgym.reports.load import load_run

START = (0.55, 0.35, 0.25)
POOR = (0.5, 0.02, 0.7)


def test_entries_are_the_start_the_branches_early_sft_and_the_controls(analysis: Analysis) -> None:
    assert [(entry.name, entry.part) for entry in analysis.entries] == [
        ("init", "start"),
        ("sft", "supervised"),
        ("ppo", "reinforced"),
        (EARLY, "control"),
        ("sft-diverse", "control"),
        ("ppo-noisy", "control"),
    ]


def test_early_sft_is_the_first_checkpoint_that_comes_up_to_rl_by_the_primary_measure_at_home(
    analysis: Analysis,
) -> None:
    (early,) = [entry for entry in analysis.entries if entry.name == EARLY]
    assert analysis.reinforced is not None
    target = analysis.rate(analysis.reinforced, "id", "sampled", "success")
    assert target is not None
    (run,) = analysis.runs
    (stop,) = early.fractions
    for fraction in run.cube.checkpoints("sft"):
        mean = run.cube.answers("success", "sft", fraction, "id", "sampled").mean()
        reached = mean >= target.value - EARLY_MARGIN
        assert reached or fraction != stop
        assert not (reached and fraction < stop)


def test_early_sft_is_no_entry_of_its_own_where_it_is_the_end(make_run: Any) -> None:
    rates = {"init": START, "sft": POOR, "ppo": (0.9, 0.35, 0.25), "sft-diverse": POOR, "ppo-noisy": POOR}
    # SFT never comes up to PPO and is best at its only checkpoint.
    analysis = Analysis([load_run(make_run(rates=rates, fractions=(1.0,), problems=20))])
    assert analysis.supervised is not None and analysis.supervised.fractions == (1.0,)
    assert EARLY not in [entry.name for entry in analysis.entries]


def test_what_was_not_evaluated_is_no_entry(make_run: Any) -> None:
    analysis = Analysis([load_run(make_run(finished=False, problems=4, fractions=(1.0,)))])
    assert "ppo-noisy" not in [entry.name for entry in analysis.entries]


def test_a_branch_that_starts_from_another_begins_there(make_run: Any) -> None:
    folder = make_run(problems=4)
    study = folder / "study.toml"
    study.write_text(
        study.read_text().replace("[branches.ppo-noisy]", '[branches.ppo-noisy]\nstart = "sft"\nstart_at = 0.4')
    )
    analysis = Analysis([load_run(folder)])
    later = next(branch for branch in analysis.first.branches if branch.name == "ppo-noisy")
    curve = analysis.curve(later)
    assert [(entry.branch, entry.fractions) for entry in curve[:2]] == [("sft", (0.4,)), ("ppo-noisy", (0.1,))]
    cube = analysis.first.cube
    spent = cube.compute["flops"]
    own = spent[cube.branches["ppo-noisy"], cube.fractions[0.1]].mean()
    before = spent[cube.branches["sft"], cube.fractions[0.4]].mean()
    assert abs(analysis.compute(curve[1], "flops") - own - before) < 1
    assert abs(analysis.compute(curve[0], "flops") - before) < 1
