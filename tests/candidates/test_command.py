"""`shiftgym compare` in the terminal."""

from pathlib import Path

import pytest
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.command import compare_models
from shiftgym.candidates.run import prepare
from shiftgym.tasks.base import Task

MANY = ("evaluation.problems=48", *SMALL[1:])


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize(("fail_on", "code"), [(["memorised"], 0), (["memorised", "generalised"], 1)])
def test_fail_on_a_verdict(
    tmp_path: Path, task: Task, capsys: pytest.CaptureFixture[str], fail_on: list[str], code: int
) -> None:
    judging = prepare(
        [Coin(task, 0.2, 1), Coin(task, 0.9, 2)], study="points-text", overrides=MANY, labels=["base", "tuned"]
    )
    ended = compare_models(judging, out=tmp_path, runs=tmp_path, workers=1, fail_on=fail_on, dry_run=False)
    assert ended == code
    lines = capsys.readouterr().out.splitlines()
    assert (lines[-1] == "failed: tuned generalised on rule_ood") == bool(code)
    assert max(map(len, (line for line in lines if str(tmp_path) not in line))) <= 80
    assert (tmp_path / "report.html").is_file()


def test_a_dry_run_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judging = prepare(["points-0", "http://127.0.0.1:1/v1#x"], study="points-text", overrides=SMALL)
    assert compare_models(judging, out=None, runs=tmp_path, workers=1, fail_on=[], dry_run=True) == 0
    assert "requests" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
