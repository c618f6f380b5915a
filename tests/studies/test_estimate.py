"""How long a plan takes, and what it counts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import Study, load_study
from shiftgym.studies.estimate import (
    FIRST_TOKENS,
    PATIENCE,
    Estimate,
    _costs,
    _kind,
    _measure,
    _unmeasured,
    estimate,
    makespan,
    print_plan,
)
from shiftgym.studies.memory import MemoryPlan, Room
from shiftgym.studies.plan import plan
from shiftgym.training.footprint import Footprint, Held, OverRanks


def test_a_free_worker_takes_the_next_branch(tiny_file: Path) -> None:
    branch = plan(load_study(tiny_file))[0]
    estimates = [Estimate(branch, 1, seconds, 0.0, 0.0) for seconds in (1.0, 5.0, 2.0, 3.0)]
    assert makespan(estimates, 1) == 11
    assert makespan(estimates, 2) == 6


def test_a_branch_takes_a_worker_for_each_of_its_ranks(tiny_file: Path) -> None:
    branch = plan(load_study(tiny_file))[0]
    estimates = [Estimate(replace(branch, ranks=ranks), 1, 2.0, 0.0, 0.0) for ranks in (1, 2, 1, 4)]
    assert makespan(estimates, 4) == 4
    assert makespan(estimates, 3) == 6, "the third waits for a worker, the last for all that there are"
    assert makespan(estimates, 1) == 8


def test_ranks_share_the_work(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(work: object, study: Study, where: object) -> dict[str, Any]:
        costs = {"seconds": 4.0, "flops": 1e6, "flops_paper": 1e6}
        kinds = {_kind(branch): {"first": costs, "later": costs} for branch in plan(study)}
        return {"start": 3.0, "checkpoint": 8.0, "kinds": kinds}

    monkeypatch.setattr("shiftgym.studies.estimate.in_own_process", measured)
    one, two = (estimate(load_study(tiny_file, [f"ranks={ranks}"])) for ranks in (1, 2))
    for alone, shared in zip(one, two, strict=True):
        assert shared.seconds - 3 == (alone.seconds - 3) / 2 > 0, "each rank loads the model itself"
        assert (shared.steps, shared.flops) == (alone.steps, alone.flops)


def test_what_cannot_be_measured_is_told(tiny_file: Path) -> None:
    study, nothing = load_study(tiny_file), OverRanks(copies=0, whole=0, layers=0, stepped=0)
    sizes = dict.fromkeys(("activations", "logits", "one", "iteration"), 0)
    one = Footprint(shared=Held(weights=5, optimizer=15), own=Held(), over_ranks=nothing, row=1, batch=1, **sizes)
    room = Room("cuda", "a device", 18)
    found = MemoryPlan({"sft": one.over(2)}, True, room)
    assert "does not fit one device" in str(_unmeasured(study, found, None)), "over its ranks it does"
    assert _unmeasured(study, replace(found, room=replace(room, bytes=21)), None) is None
    assert "another machine" in str(_unmeasured(study, found, 80.0))
    assert "no weights" in str(_unmeasured(study, replace(found, weights=False), None))
    assert _unmeasured(study, replace(found, footprints={"sft": one}), None) == "a branch does not fit"


def test_a_dry_run_prints_every_branch_and_keeps_nothing(
    faulty_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study(faulty_file, ["branches.failing.train_on=train"])
    print_plan(study, workers=2)
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert ["init", "0", "start", "sft", "1"] in [line[:5] for line in lines]
    assert ["ppo", "0", "reinforced", "ppo"] in [line[:4] for line in lines]
    rows = {line[0]: line[4:] for line in lines if len(line) == 8 and line[4].isdigit()}
    assert int(rows["sft"][0]) == int(rows["diverging"][0]) > 1
    assert "An estimate" in printed
    assert "Device: the CPU." in printed
    assert "With 1 seed, 3 problems a split and 1 answer a problem, the smallest true difference" in " ".join(
        printed.split()
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("accounting", "column"), [("executed", 1), ("paper", 2)])
def test_a_plan_ends_all_branches_at_equal_compute_in_either_accounting(
    faulty_file: Path, capsys: pytest.CaptureFixture[str], accounting: str, column: int
) -> None:
    given = ["branches.failing.train_on=train", "budget.flops=2e8", f"budget.accounting={accounting}"]
    print_plan(load_study(faulty_file, given), workers=2)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {line[0]: [float(number) for number in line[4:]] for line in lines if len(line) == 8 and line[4].isdigit()}
    for name in ("sft", "ppo"):
        steps, spent = rows[name][0], 1e12 * rows[name][column]
        assert spent * (steps - 1) / steps < 2e8 <= 1.01 * spent, "the last step reaches the budget"


@pytest.mark.slow
def test_a_plan_counts_what_is_sampled_before_the_first_step(faulty_file: Path) -> None:
    own = "branches.{}={{recipe='replay', label='own', problems={}, batch=2, max_new_tokens=8}}"
    given = ["branches.failing.train_on=train", "budget.flops=1", own.format("few", 2), own.format("many", 64)]
    given.append("compare.supervised=sft")
    plans = {each.branch.name: each for each in estimate(load_study(faulty_file, given))}
    assert (plans["few"].steps, plans["many"].steps) == (1, 1)
    assert plans["many"].flops > 1.3 * plans["few"].flops


def test_template_variables_reach_the_model(faulty_file: Path, tmp_path: Path) -> None:
    study = load_study(faulty_file, ["template_variables.enable_thinking=false"])
    with pytest.raises(ConfigError, match="takes no 'enable_thinking'"):
        _measure(study, tmp_path / "measured.json")


@pytest.mark.parametrize("slow", [1.0, 1000.0])
def test_a_whole_evaluation_follows_from_a_few_problems(monkeypatch: pytest.MonkeyPatch, slow: float) -> None:
    """Of a slow model only first tokens are timed; where every answer is as long as it may be, both find the same."""
    clock, asked = [0.0], []

    def answer(problems: int, tokens: int) -> None:
        asked.append((problems, tokens))
        clock[0] += slow * (0.02 + 0.001 * problems) * (1 + 0.1 * (tokens - 1))

    monkeypatch.setattr("shiftgym.studies.estimate.time.perf_counter", lambda: clock[0])
    start, each = _costs(answer, 96)
    assert (start, each) == pytest.approx((slow * 0.02 * 10.5, slow * 0.001 * 10.5))
    assert max(tokens for _, tokens in asked) == (96 if slow * 0.021 * 10.5 < PATIENCE else FIRST_TOKENS)
    assert max(problems for problems, _ in asked) == 8
