"""A whole study, with branches that stop and fail; and the same one killed at a random moment and resumed."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from tests.drawing import drawn_once

from shiftgym.engines.base import Job, State, Watch
from shiftgym.engines.local import LocalEngine
from shiftgym.errors import ConfigError
from shiftgym.following.driver import read_standing
from shiftgym.following.follower import whole_board
from shiftgym.layout import RunFolder
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_run
from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan
from shiftgym.studies.run import (
    TOLD,
    Finished,
    _tell,
    prepare,
    resume_study,
    run_study,
)
from shiftgym.studies.suite import figure_names

STARTED = """
from shiftgym.cli.main import main
from shiftgym.reports import page

page.write_report = lambda of: of.first.folder / "report.html"
main()
"""
"""A command that leaves out the report: see `no_report`."""


@pytest.fixture(scope="module")
def whole(faulty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The study, carried out without a break."""
    with drawn_once():
        return run_study(load_study(faulty_file), runs=tmp_path_factory.mktemp("runs"), workers=2, plain=True)


def test_every_checkpoint_of_the_sound_branches_is_evaluated(whole: Finished) -> None:
    rows = [json.loads(line) for line in (whole.folder / "results.jsonl").read_text().splitlines()]
    counts = Counter((row["branch"], row["fraction"]) for row in rows)
    each = 2 * 2 * 3  # splits, decodings, problems
    assert {key: n for key, n in counts.items() if key[0] in ("init", "sft", "ppo")} == {
        ("init", 0.0): each,
        ("sft", 0.5): each,
        ("sft", 1.0): each,
        ("ppo", 0.5): each,
        ("ppo", 1.0): each,
    }
    assert rows[0]["branch"] == "init"
    assert rows[0]["flops"] == 0
    last = [row for row in rows if row["branch"] == "ppo"][-1]
    assert last["flops"] >= 4e7


def test_a_model_that_is_still_to_be_made_is_told_before_there_is_a_folder(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    study = load_study(tiny_file, ["model=smollm2"])
    with pytest.raises(ConfigError, match="make it with: shiftgym backbone smollm2"):
        run_study(study, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_folder_is_complete(whole: Finished, faulty_file: Path) -> None:
    assert load_study(whole.folder / "study.toml") == load_study(faulty_file)
    environment = json.loads((whole.folder / "environment.json").read_text())
    assert environment["workers"] == 2
    assert environment["packages"]["torch"]
    assert environment["placement"] == {
        "device": "cpu", "dtype": "float32", "attention": "auto", "gradient_checkpointing": False
    }  # fmt: skip
    assert [machine["host"] for machine in environment["machines"]] == [socket.gethostname()]
    assert "gpus" not in environment["machines"][0]
    assert (whole.folder / "report.html").is_file()
    drawn = {path.stem for path in (whole.folder / "figures").glob("*.png")}
    assert {"validity", "trajectory-rule_ood"} <= drawn <= set(figure_names(load_study(faulty_file)))
    branch = whole.folder / "branches" / "ppo-seed0"
    assert json.loads((branch / "done.json").read_text()) == {"state": "done", "message": ""}
    # A model of random weights is never right.
    assert "had nothing to learn from: all rewards were alike" in (branch / "log.txt").read_text()
    episodes = (branch / "evaluation_episodes.jsonl").read_text().splitlines()
    assert len(episodes) == 2 * 2 * 2 * 3
    assert json.loads(episodes[0])["decisions"]


def test_a_branch_that_diverges_is_a_result_and_one_that_fails_is_not(whole: Finished) -> None:
    assert list(whole.stopped) == ["diverging-seed0"]
    assert "not finite" in whole.stopped["diverging-seed0"]
    assert list(whole.failed) == ["failing-seed0"]
    assert "splits.impossible: no solvable hand" in whole.failed["failing-seed0"]
    assert str(whole.folder / "branches" / "failing-seed0" / "log.txt") in whole.failed["failing-seed0"]


def test_a_follower_sees_how_every_branch_stands(whole: Finished) -> None:
    standing = read_standing(RunFolder(whole.folder))
    assert (standing.states["ppo-seed0"], standing.states["failing-seed0"]) == ("done", "failed")
    assert standing.tries["ppo-seed0"] == 1 and 0 < standing.seconds["ppo-seed0"] < standing.spent
    board = whole_board(whole.folder).since()
    assert board["run"]["state"]["state"] == "done"
    failing, diverging = board["branches"]["failing-seed0"], board["branches"]["diverging-seed0"]
    assert (failing["state"], diverging["state"]) == ("failed", "stopped")
    assert failing["message"] in whole.failed["failing-seed0"] and failing["message"] in board["logs"]["failing-seed0"]
    assert diverging["message"] == whole.stopped["diverging-seed0"]
    assert {"kl", "reward", "explained_variance", "tokens_per_second"} <= board["curves"]["ppo-seed0"]["columns"].keys()
    analysis = Analysis([load_run(whole.folder)])
    for entry in analysis.entries:
        for split in analysis.splits:
            for decoding, measure, _ in analysis.asked(split):
                line = board["success"]["|".join((entry.branch, split, decoding, measure))]
                at, rate = line["fraction"].index(entry.fractions[0]), analysis.rate(entry, split, decoding, measure)
                assert rate is not None
                assert [line[name][at] for name in ("value", "low", "high")] == [rate.value, rate.low, rate.high]


def test_a_branch_may_start_from_a_checkpoint_of_another(whole: Finished) -> None:
    def weights(branch: str, which: int) -> dict[str, Any]:
        folder = sorted((whole.folder / "branches" / branch / "checkpoints").glob("step-*"))[which]
        return load_file(folder / "model.safetensors")

    half, end, still = weights("sft-seed0", 0), weights("sft-seed0", -1), weights("still-seed0", -1)
    assert all(torch.equal(still[name], half[name]) for name in half)
    assert not all(torch.equal(end[name], half[name]) for name in half)


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_killed_study_goes_on_as_if_nothing_had_been(whole: Finished, faulty_file: Path, tmp_path: Path) -> None:
    lines = random.SystemRandom().randrange(10)
    with _started(faulty_file, tmp_path, lines) as process:
        os.kill(process.pid, signal.SIGKILL)
    (folder,) = tmp_path.iterdir()
    finished = resume_study(folder, workers=2, plain=True)
    assert finished.stopped.keys() == whole.stopped.keys()
    assert _results(folder) == _results(whole.folder), f"killed after {lines} lines"


@pytest.mark.slow
def test_a_branch_whose_process_is_killed_goes_on_as_if_nothing_had_been(
    whole: Finished, faulty_file: Path, tmp_path: Path
) -> None:
    lines = random.SystemRandom().randrange(10)
    with _started(faulty_file, tmp_path, lines) as process:
        _kill_one(process)
        out, _ = process.communicate()
    assert "lost: the process was killed by SIGKILL" in out
    (folder,) = tmp_path.iterdir()
    assert _results(folder) == _results(whole.folder), f"killed after {lines} lines"


def _kill_one(process: "subprocess.Popen[str]") -> None:
    """Kill the process of any branch of a study, as soon as there is one that has not ended by itself."""
    while process.poll() is None:
        if branches := [*_branches(process.pid)]:
            with suppress(psutil.NoSuchProcess):
                random.SystemRandom().choice(branches).kill()
                return


def _branches(driver: int) -> Iterator[psutil.Process]:
    """The processes of the branches that a driver has started. It also starts some that end at any moment."""
    for server in psutil.Process(driver).children():
        with suppress(psutil.NoSuchProcess):
            yield from server.children()


@contextmanager
def _started(file: Path, runs: Path, lines: int) -> Iterator["subprocess.Popen[str]"]:
    """A study in a process of its own, when its branches have written more than so many lines."""
    command = [sys.executable, "-c", STARTED, "study", "run", str(file), "--runs", str(runs), "--workers=2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and _metrics_lines(runs) <= lines:
            time.sleep(0.01)
        yield process


def _results(folder: Path) -> dict[str, str]:
    """What is the same whenever a study is carried out: rows, metrics, and checkpoints."""
    sure = [folder / "branches" / name for name in ("init-seed0", "sft-seed0", "ppo-seed0", "still-seed0")]
    paths = [path for branch in sure for path in branch.rglob("*") if path.is_file()]
    paths = [path for path in paths if path.name not in ("timings.jsonl", "log.txt")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "results.jsonl", *paths)
    }


@pytest.mark.usefixtures("no_report")
def test_resuming_redoes_nothing_that_is_finished(whole: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.folder.glob("branches/[!f]*/*")}
    again = resume_study(whole.folder, workers=1, plain=True)
    assert again == whole
    assert {path: path.stat().st_mtime_ns for path in whole.folder.glob("branches/[!f]*/*")} == before
    assert "failing-seed0: running" in capsys.readouterr().out


def test_where_nothing_is_left_to_do_a_run_goes_on_saying_where_it_ran(faulty_file: Path, tmp_path: Path) -> None:
    study, folder = load_study(faulty_file), tmp_path / "run"
    prepare(folder, study)
    for branch in plan(study):
        done = branch.folder(folder).done
        done.parent.mkdir(parents=True, exist_ok=True)
        done.write_text('{"state": "done", "message": ""}')
    environment = RunFolder(folder).environment
    environment.write_text('{"machines": ["another"]}')
    resume_study(folder, plain=True)
    assert environment.read_text() == '{"machines": ["another"]}'


def test_results_of_the_whole_are_there_only_while_nothing_goes_on(
    faulty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile: list[bool] = []

    def fail(_: LocalEngine, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        meanwhile.append(results.is_file())
        return {job.name: "failed" for job in jobs}

    monkeypatch.setattr(LocalEngine, "run", fail)
    results = tmp_path / "run" / "results.jsonl"
    prepare(results.parent, load_study(faulty_file))
    for _ in range(2):
        resume_study(results.parent, plain=True)
        assert results.is_file()
    assert meanwhile == [False, False]


def test_a_missing_package_is_named_before_a_folder_is_made(
    adapted_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftgym.training.settings.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"lora needs peft, which is not installed: pip install 'shiftgym\[peft\]'"):
        run_study(load_study(adapted_file), runs=tmp_path, plain=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_a_study_with_adapters_is_carried_out_whole(adapted_file: Path, tmp_path: Path) -> None:
    study = load_study(adapted_file)
    finished = run_study(study, runs=tmp_path, workers=2, plain=True)
    assert (finished.stopped, finished.failed) == ({}, {})
    assert (finished.folder / "report.html").is_file()

    def last(branch: str) -> Path:
        return sorted((finished.folder / "branches" / f"{branch}-seed0" / "checkpoints").glob("step-*"))[-1]

    def base(branch: str) -> str:
        return str(json.loads((last(branch) / "adapter_config.json").read_text())["base_model_name_or_path"])

    assert base("init") == base("sft") == base("ppo") == study.model, "branches go on with the adapter of the start"
    assert base("renewed") == str(last("whole"))
    assert not (last("whole") / "adapter_config.json").exists()
    weights = load_file(last("ppo") / "adapter_model.safetensors")
    assert {len(value) for name, value in weights.items() if "lora_A" in name} == {2}
    assert (last("ppo") / "value_head.safetensors").exists()
    for branch in ("sft", "ppo", "whole", "renewed"):
        rows = [json.loads(line) for line in (last(branch).parents[1] / "probes.jsonl").read_text().splitlines()]
        assert all(row["kl_to_start"] is not None for row in rows)
    started, went_on = (load_file(last(name) / "adapter_model.safetensors") for name in ("init", "sft"))
    assert any(bool(value.any()) for name, value in started.items() if "lora_B" in name)
    assert started.keys() == went_on.keys()
    first = json.loads((last("renewed").parents[1] / "metrics.jsonl").read_text().splitlines()[0])
    assert first["kl"] == 0


def test_a_run_is_not_resumed_as_another_study(whole: Finished, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"made with budget\.flops = 40000000\.0, not 50000000\.0"):
        resume_study(whole.folder, overrides=["budget.flops=5e7"])
    with pytest.raises(ConfigError, match="no run folder"):
        resume_study(tmp_path)


def _metrics_lines(runs: Path) -> int:
    """Of the branches that go on and of those that have ended."""
    return sum(_lines(path) for path in runs.glob("*/branches/*/**/metrics.jsonl"))


def _lines(log: Path) -> int:
    try:
        return len(log.read_bytes().splitlines())
    except FileNotFoundError:  # Its branch has just ended.
        return 0


@pytest.mark.usefixtures("no_report")
def test_a_run_goes_on_with_other_passes_and_another_place(whole: Finished, tmp_path: Path) -> None:
    """What changes no results may be changed, so that what did not fit can be tried again."""
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    changed = ["device=cpu", "gradient_checkpointing=true", "branches.sft.tokens_per_pass=512", "restarts=0"]
    again = resume_study(folder, overrides=changed, workers=1, plain=True)
    assert again.stopped == whole.stopped
    study = load_study(folder / "study.toml")
    assert study.placement.gradient_checkpointing
    assert study.branches["sft"].settings.tokens_per_pass == 512, "the run remembers it"
    with pytest.raises(ConfigError, match=r"this run was made with dtype = 'float32', not 'bfloat16'"):
        resume_study(folder, overrides=["dtype=bfloat16"])


def test_of_very_many_branches_that_failed_some_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.jsonl").touch()
    failed = {f"b-seed{seed}": "why" for seed in range(TOLD + 5)}
    _tell(Finished(tmp_path, stopped={}, failed=failed), Console())
    *lines, more, again = capsys.readouterr().out.splitlines()
    assert lines == [f"{title} failed: why" for title in list(failed)[:TOLD]]
    assert more == "and 5 more branches failed"
    assert again.startswith("Try again with")
