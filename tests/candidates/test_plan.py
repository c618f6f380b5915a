"""How many requests and tokens a comparison takes."""

import io
from pathlib import Path

from rich.console import Console
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.compared import compare
from shiftgym.candidates.plan import print_plan
from shiftgym.candidates.run import prepare
from shiftgym.tasks.base import Task


def printed(judging: object, out: Path | None = None) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_plan(judging, out, console)  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_requests_lie_between_one_and_the_limit_of_attempts() -> None:
    given = ["http://127.0.0.1:1/v1#base", "http://127.0.0.1:1/v1#tuned"]
    overrides = [*SMALL, "evaluation.samples=2", "evaluation.decodings=['sampled', 'greedy']"]
    text = printed(prepare(given, study="points-text", overrides=overrides))
    # 3 splits x 6 problems x (2 sampled answers and a greedy one), and at most 2 attempts each.
    assert "54 to 108" in text and "tuned" in text
    assert f"at most {108 * 96 / 1e3:,.0f}k" in text


def test_what_was_answered_is_not_counted(tmp_path: Path, task: Task) -> None:
    compare(Coin(task, 0.5), Coin(task, 0.5), overrides=SMALL, folder=tmp_path, labels=["base", "tuned"])
    judging = prepare(
        [Coin(task, 0.5), "http://127.0.0.1:1/v1#x"], study="points-text", overrides=SMALL, labels=["base"]
    )
    lines = {line.split()[0]: line for line in printed(judging, tmp_path).splitlines() if " of " in line[:40]}
    assert "1 of 1 left" in lines["base"]  # an object is always asked anew
    assert "0 of 1 left" in lines["tuned"] and "1 of 1 left" in lines["x"]
