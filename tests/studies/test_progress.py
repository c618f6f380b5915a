"""What is seen of a study while it runs, by the files of its branches."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from shiftgym.engines.base import State
from shiftgym.files import append_lines
from shiftgym.layout import BranchFolder
from shiftgym.studies.config import Study, load_study
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.studies.progress import LiveDisplay, LogDisplay, Progress
from shiftgym.studies.tries import Tries


@pytest.fixture
def study(tiny_file: Path) -> Study:
    return load_study(tiny_file)


def branch(study: Study, name: str) -> PlannedBranch:
    return next(each for each in plan(study) if each.name == name)


def tries(study: Study, run: Path) -> dict[str, Tries]:
    return {each.title: Tries(each.folder(run)) for each in plan(study)}


def trained(folder: BranchFolder, step: int, flops: float) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    append_lines(folder.metrics, [{"step": step, "flops": flops, "flops_paper": flops / 2}])


def evaluated(folder: BranchFolder, step: int, **success: float) -> None:
    """Rows of one checkpoint; `success` of each split in the first decoding, and 1 in the other."""
    origin = {"branch": "sft", "seed": 0, "step": step, "fraction": 0.5, "flops": 1, "flops_paper": 1.0, "problem": 0}
    rows = [
        {**origin, "split": split, "decoding": decoding, "success": rate if decoding == "sampled" else 1.0}
        for split, rate in success.items()
        for decoding in ("sampled", "greedy")
    ]
    append_lines(folder.results, rows)


def test_progress_is_that_of_the_last_whole_line_and_the_last_checkpoint(study: Study, tmp_path: Path) -> None:
    progress = Progress(branch(study, "sft"), study, tries(study, tmp_path)["sft-seed0"])
    folder = branch(study, "sft").folder(tmp_path)
    assert not progress.update() and progress.fraction == 0
    trained(folder, 3, study.budget.flops / 4)
    with folder.metrics.open("a") as metrics:
        metrics.write('{"step": 4, "flo')
    assert not progress.update()
    assert (progress.step, progress.fraction) == (3, 0.25)
    evaluated(folder, 2, train=0.25, rule_ood=0.0)
    evaluated(folder, 3, train=0.75, rule_ood=0.5)
    assert progress.update()
    assert progress.success == {"train": 0.75, "rule_ood": 0.5}
    assert not progress.update(), "nothing is new"


def test_a_budget_in_the_papers_flops_is_followed_in_them(tiny_file: Path, tmp_path: Path) -> None:
    study = load_study(tiny_file, ["budget.accounting=paper"])
    progress = Progress(branch(study, "ppo"), study, tries(study, tmp_path)["ppo-seed0"])
    trained(branch(study, "ppo").folder(tmp_path), 1, study.budget.flops)
    progress.update()
    assert progress.fraction == 0.5


def test_the_start_is_followed_by_its_steps(tiny_file: Path, tmp_path: Path) -> None:
    study = load_study(tiny_file, ["init.steps=4"])
    progress = Progress(branch(study, "init"), study, tries(study, tmp_path)["init-seed0"])
    trained(branch(study, "init").folder(tmp_path), 3, 1.0)
    progress.update()
    assert progress.fraction == 0.75


def test_a_log_has_a_line_for_every_event(study: Study, tmp_path: Path) -> None:
    out = io.StringIO()
    earlier, folder = (branch(study, name).folder(tmp_path) for name in ("ppo", "sft"))
    trained(earlier, 1, 1.0)
    evaluated(earlier, 1, train=1.0, rule_ood=1.0)  # before this run, which goes on with the branch
    with LogDisplay(study, plan(study), tries(study, tmp_path), Console(file=out, width=40), "the CPU") as shown:
        shown.show({"sft-seed0": "waiting", "ppo-seed0": "running"})
        shown.show({"sft-seed0": "running", "ppo-seed0": "running"})
        trained(folder, 2, study.budget.flops / 2)
        evaluated(folder, 2, train=0.5, rule_ood=0.25)
        shown.show({"sft-seed0": "running", "ppo-seed0": "failed"})
        shown.show({"sft-seed0": "done", "ppo-seed0": "failed"})
    device, *events = out.getvalue().splitlines()
    assert device == "Device: the CPU"
    assert [line.split(maxsplit=1)[1] for line in events] == [
        "ppo-seed0: running",
        "sft-seed0: running",
        "sft-seed0: step 2, 50% of its compute: train 0.50  rule_ood 0.25",
        "ppo-seed0: failed",
        "sft-seed0: done",
    ]


def test_a_live_table_fits_80_columns_and_shows_who_runs(study: Study, tmp_path: Path) -> None:
    out = io.StringIO()
    folder = branch(study, "sft").folder(tmp_path)
    trained(folder, 12345, study.budget.flops / 2)
    evaluated(folder, 12345, train=0.5, rule_ood=0.25)
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    with LiveDisplay(study, plan(study), tries(study, tmp_path), console, "NVIDIA H200") as shown:
        shown.show({"init-seed0": "done", "sft-seed0": "running", "ppo-seed0": "waiting"})
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 + len("\x1b[?25h")
    assert any("tiny  1 of 3 branches" in line and "on NVIDIA H200" in line for line in lines)
    rows = {line.split()[0]: line.split() for line in lines if line.split()}
    assert rows["sft"][1:3] == ["0", "12345"] and rows["sft"][-3:] == ["50%", "0.50", "0.25"]
    assert rows["init"][-1] == "done"
    assert "ppo" not in rows, "what waits is not shown"


def test_a_log_tells_that_a_branch_was_started_again_and_what_was_done_before(study: Study, tmp_path: Path) -> None:
    out = io.StringIO()
    of = tries(study, tmp_path)
    with LogDisplay(study, plan(study), of, Console(file=out), "the CPU") as shown:
        shown.show({"init-seed0": "done", "sft-seed0": "waiting"})
        first = of["sft-seed0"].begin()
        shown.show({"init-seed0": "done", "sft-seed0": "running"})
        trained(first, 1, study.budget.flops / 2)
        evaluated(first, 1, train=0.5, rule_ood=0.25)
        first.log.write_text("the process was killed by SIGKILL\n")
        of["sft-seed0"].begin()
        shown.show({"init-seed0": "done", "sft-seed0": "running"})
    assert [line.split(maxsplit=1)[1] for line in out.getvalue().splitlines()[1:]] == [
        "1 of 2 branches are done already",
        "sft-seed0: running",
        "sft-seed0: lost: the process was killed by SIGKILL",
        "sft-seed0: step 1, 50% of its compute: train 0.50  rule_ood 0.25",
    ]


@pytest.fixture
def crowd(tiny_file: Path, tmp_path: Path) -> tuple[Study, dict[str, Tries], dict[str, State]]:
    """Many branches, of which a few run, one of them for the second time."""
    study = load_study(tiny_file, [f"seeds={list(range(700))}"])
    of = tries(study, tmp_path)
    states: dict[str, State] = dict.fromkeys(of, "waiting")
    states |= dict.fromkeys([*of][:900], "done")
    states |= {"sft-seed150": "running", "ppo-seed150": "running", "ppo-seed7": "failed"}
    for title in ("sft-seed150", "ppo-seed150"):
        trained(of[title].begin(), 12345, study.budget.flops / 2)
    of["ppo-seed150"].begin()
    return study, of, states


def test_a_live_table_of_thousands_of_branches_fits_the_terminal(
    crowd: tuple[Study, dict[str, Tries], dict[str, State]],
) -> None:
    study, of, states = crowd
    out = io.StringIO()
    console = Console(file=out, width=80, height=24, force_terminal=True, color_system=None)
    with LiveDisplay(study, plan(study), of, console, "the CPU") as shown:
        shown.show({**states, "ppo-seed7": "waiting"})
        shown.show(states)
    last = out.getvalue().rpartition("tiny  ")[2]
    lines = [
        line for line in (re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", line).rstrip() for line in last.splitlines()) if line
    ]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("900 of 2100 branches")
    assert [line.split()[:2] for line in lines if line.split()[-1] == "50%"] == [["sft", "150"], ["ppo", "150"]]
    assert ["ppo", "7"] in [line.split()[:2] for line in lines if line.endswith("failed")], (
        "what ended last is shown beside what runs"
    )
    assert "started again: ppo-seed150" in last
    done = sum(line.endswith("  done") for line in lines)
    assert done > 5
    assert f"not shown: {899 - done} done, 1198 waiting" in last


def test_the_files_of_what_waits_or_has_ended_are_not_read_again(
    crowd: tuple[Study, dict[str, Tries], dict[str, State]], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, of, states = crowd
    read: list[str] = []
    update = Progress.update
    monkeypatch.setattr(Progress, "update", lambda self: (read.append(self.branch.title), update(self))[1])
    console = Console(file=io.StringIO(), width=80, height=24)
    running = {"sft-seed150", "ppo-seed150"}
    with LogDisplay(study, plan(study), of, console, "the CPU") as log:
        log.show(states)
        assert {*read} - {"ppo-seed7"} == running
        read.clear()
        log.show(states)
        assert {*read} == running
    live = LiveDisplay(study, plan(study), of, console, "the CPU")
    live.show(states)
    assert len(read) < 24
    read.clear()
    live.show(states)
    assert {*read} == running
