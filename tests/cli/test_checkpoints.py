"""`shiftgym eval` and `shiftgym compare`: options, and one line with exit code 2 on misuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["points-0"], "TUNED"),
        (["points-0", "no/such/model/here"], "is no directory, backbone, hub id"),
        (["points-0", "points-0", "--study", "points-txt"], "did you mean 'points-text'?"),
        (["points-0", "points-0", "--problems", "0"], "Must be >= 1"),
        (["points-0", "points-0", "--fail-on", "memorized"], "memorised"),
        (["points-0", "points-0", "--label=a", "--label=a"], "the label 'a' is given twice"),
        (["points-0", "points-0", "--chat-template", "no-such-file"], "does not exist"),
        (["points-0", "http://127.0.0.1:1/v1"], "an endpoint needs the name of the model"),
        (["points-0", "points-0", "--set=compare.margin=2"], "compare.margin"),
    ],
)
def test_misuse_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_plan_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["points-0", "http://127.0.0.1:1/v1#x"]
    assert run("compare", *given, "--problems=2", "--dry-run", f"--runs={tmp_path}") == 0
    assert "requests" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_what_was_paid_for_is_kept_where_greedy_answers_are_refused(
    serve: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = {"choices": [{"message": {"content": "hm"}, "finish_reason": "stop"}]}
    refusal = {"error": {"message": "Unsupported value: 'temperature' does not support 0.0 with this model."}}
    server = serve(lambda _, body: (400, refusal) if body["temperature"] == 0 else (200, fine))
    asked = ["eval", f"{server.url}#m", "--split=id", "--problems=2", f"--out={tmp_path / 'rows'}"]
    assert run(*asked) == 2
    said = capsys.readouterr()
    assert "sampled" in said.out and "greedy" not in said.out
    assert """leave out greedy answers: --set 'evaluation.decodings=["sampled"]'""" in said.err
    before = len(server.requests)
    assert run(*asked, '--set=evaluation.decodings=["sampled"]') == 0
    assert len(server.requests) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pionts-0"], "model 'pionts-0' is no backbone"),
        (["points-0", "--task", "poker"], "unknown task 'poker'"),
        (["points-0", "--study", "points-vision"], "cannot see, and this task shows pictures"),
        (["points-0", "--dtype", "int3"], "int3"),
        (["points-0", "--chat-template", "no-such-file"], "does not exist"),
    ],
)
def test_a_model_that_cannot_be_described_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("model", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_model_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("model", "points-0") == 0
    said = capsys.readouterr().out
    assert "llama (LlamaForCausalLM)" in said and "⟦" in said
