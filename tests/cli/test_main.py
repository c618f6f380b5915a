"""Commands: what they print, and one line with exit code 2 on misuse. What they do is tested where it stands."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import run
from tests.hub_server import Hub

from shiftgym import __version__
from shiftgym.cli.main import app
from shiftgym.cli.reference import commands

NO_MODEL = "--set=model=nobody/nothing"
"""A hub id that these commands never look up."""
COMMANDS = [name.removeprefix("shiftgym ") for name, _ in commands(app, "shiftgym")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], 'Unknown command "frobnicate"'),
        (["study", "rnu"], 'Did you mean "run"?'),
        (["study", "run"], "give the name of a study"),
        (["study", "run", "points-txt"], "did you mean 'points-text'?"),
        (["study", "run", "points-text", "--sett", "a=b"], "Did you mean --set?"),
        (["study", "run", "points-text", "--workers", "two"], 'unable to convert "two" into int'),
        (["study", "run", "points-text", "--workers", "0"], "Must be >= 1"),
        (["study", "show", "points-text", NO_MODEL, "--set=budget.flop=1"], "unknown key; did you mean 'flops'?"),
        (["study", "resume", "no/such/run"], "no run folder"),
        (["study", "run", "papr"], "no shipped study or suite, and no file; did you mean 'paper'?"),
        (["study", "run", "points-text", "--scale", "smoke"], "--scale is for suites, and points-text is one study"),
        (["study", "keys", "evalution"], "there is no table 'evalution'; did you mean 'evaluation'?"),
        (["report", "no/such/run"], "no run folder"),
        (["train", "points-0", "sft"], "--out"),
        (
            ["train", "nobody/nothing", "sft", "--out=x", "--set=recipe.speed=1"],
            "--set: recipe.speed: unknown key; known are train_on",
        ),
        (["eval", "http://127.0.0.1:1/v1", NO_MODEL], "an endpoint needs the name of the model"),
        (["eval", "expert", "--split", "idd", NO_MODEL], "there is no split 'idd'; did you mean 'id'?"),
        (["data", "sft", "x.csv", NO_MODEL, "--count=1"], ".jsonl or .parquet"),
        (["data", "sft", "x.jsonl", NO_MODEL, "--split=idd"], "unknown split 'idd'; did you mean 'id'?"),
        (["check", "pionts"], "unknown task or recipe 'pionts'; did you mean 'points'?"),
        (["check", "points", "--set=splits.id.hand=test"], "splits.id.hand: unknown key; did you mean 'hands'?"),
        (["check", "points", "--set=recipe.batch=2"], "set task.KEY=value or splits.NAME.KEY=value"),
        (["check", "sft", "--set=task.limit=2"], "sft is a recipe; set recipe.KEY=value"),
        (["check", "sft", "--set=recipe.bach=2"], "unknown key; did you mean 'batch'?"),
        (["check", "reasoning_gym", "--set=task.generator=chain_smu"], "did you mean 'chain_sum'?"),
        (["verify", "no/such/file"], "there is no such file"),
        (["backbone", "pionts"], "Invalid value"),
        (["study", "run", "points-text", "--device", "gpu"], "--device: should be auto, cpu, cuda, or cuda:N"),
        (["study", "run", "points-text", "--dtype", "bf16"], "--dtype: unknown value 'bf16'; did you mean 'bfloat16'?"),
        (["eval", "points-0", "--attention", "flash"], "--attention: unknown value 'flash'"),
        (["study", "show", "points-text", NO_MODEL, "--set=device=gpu"], "--set: device: should be auto, cpu"),
    ],
)
def test_misuse_is_one_line_and_code_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_summary_and_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command.split(), "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: shiftgym {command}")
    assert lines[2].strip()
    assert any(line.startswith(f"Example: shiftgym {command}") for line in lines)


@pytest.mark.parametrize(
    "command",
    [
        *("study run points-text", "study run paper", "study run points-text --dry-run", "eval points-0"),
        *("train points-0 sft --out OUT", "compare points-0 points-0"),
    ],
)
def test_a_device_that_is_not_there_is_told_before_anything_is_written(
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    nvidia_smi: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*command.split(), "--device", "cuda") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: device 'cuda': ")
    assert printed.err.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == __version__


def test_the_expert_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("eval", "expert", "--split=id", "--problems=4", NO_MODEL, f"--out={tmp_path}") == 0
    printed = capsys.readouterr().out
    assert "100 [51, 100]" in printed
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 8
    assert all(row["success_1"] and row["branch"] == "expert" for row in rows)


def test_an_endpoint_is_measured(serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    reply = {"choices": [{"message": {"content": "hm"}, "finish_reason": "stop"}]}
    server = serve(lambda *_: (200, reply))
    assert run("eval", f"{server.url}#org/m", "--split=id", "--problems=2", NO_MODEL) == 0
    assert "sampled" in capsys.readouterr().out
    assert {(body["model"], body["max_tokens"], body["temperature"]) for body in server.bodies} == {
        ("org/m", 96, 1.0),
        ("org/m", 96, 0.0),
    }


def test_how_often_an_endpoint_is_asked_is_an_option(
    serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(lambda *_: (529, {"error": {"message": "Overloaded"}}))
    assert (
        run("eval", server.url, "--served=m", "--split=id", "--tries=1", "--timeout=5", "--parallel=2", NO_MODEL) == 2
    )
    assert capsys.readouterr().err == f"error: {server.url}: HTTP 529 Overloaded (try 1 of 1)\n"
    assert len(server.requests) == 1


def test_data_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "train.jsonl"
    assert run("data", "sft", str(path), "--count=2", NO_MODEL) == 0
    assert "2 rows" in capsys.readouterr().out
    assert [json.loads(line)["messages"][-1]["role"] for line in path.read_text().splitlines()] == ["assistant"] * 2


def test_a_problem_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "--split=rule_ood", "--index=1", NO_MODEL) == 0
    assert "J counts as 11" in capsys.readouterr().out


def test_a_task_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "points") == 0
    assert "FAIL" not in capsys.readouterr().out


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    line = json.dumps({"task": "points", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8", "8"]})
    path = tmp_path / "lines.jsonl"
    path.write_text(f"{line}\n" * 5000)
    command = [sys.executable, "-c", "from shiftgym.cli.main import main; main()", "verify", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"solvable" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_verify_reads_standard_input() -> None:
    hand = {"task": "points", "rule": "faces_as_ten", "target": 24, "cards": ["3", "3", "8", "8"]}
    command = [sys.executable, "-c", "from shiftgym.cli.main import main; main()", "verify", "-"]
    done = subprocess.run(command, input=f"{json.dumps(hand)}\nnonsense\n", capture_output=True, text=True, check=True)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {"solvable": True, "solution": "8/(3-8/3)"}
    assert set(second) == {"error"}


def test_the_example_task_of_the_readme_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert run("check", "examples.clock_task:ClockTask") == 0
    assert run("check", "examples.clock_task:ClockTask", "--set=splits.day.dial=24") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["eval", "out/sft"],
        ["train", "out/sft", "sft", "--out=trained"],
        ["compare", "out/sft", "points-0"],
        ["compare", "points-0", "expert", "out/sft"],
        ["study", "run", "points-text-quick", "--set=model=out/sft"],
        ["study", "run", "points-text-quick", "--set=model=out/sft", "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_model_that_is_nowhere_is_told_before_anything_is_asked(
    arguments: list[str], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "model 'out/sft' cannot be loaded: there is no directory of that name and no such model on the hub" in said
    assert not [path for path in tmp_path.rglob("*") if path.suffix], "only a lock is there"
