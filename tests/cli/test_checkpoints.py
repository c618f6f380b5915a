"""`shiftgym eval` and `shiftgym compare`: options, and one line with exit code 2 on misuse."""

from pathlib import Path

import pytest

from shiftgym.cli.main import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    code = end.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["points-0"], "TUNED"),
        (["points-0", "no/such/model/here"], "is no directory, shipped backbone, hub id"),
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


@pytest.mark.parametrize("command", ["eval", "compare"])
def test_help_fits_80_columns(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(command, "--help") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
