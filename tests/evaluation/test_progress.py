"""Progress is read from the rows that are written."""

import io
from pathlib import Path

from rich.console import Console

from shiftgym.evaluation.progress import AnsweredDisplay


def test_a_log_has_a_line_for_every_change(tmp_path: Path) -> None:
    files = {title: tmp_path / f"{title}.jsonl" for title in ("base", "tuned")}
    console = Console(file=io.StringIO(), width=120)
    with AnsweredDisplay(files, 18, console) as shown:
        shown.show({"base": "running", "tuned": "waiting"})
        files["base"].write_text("{}\n" * 18)
        shown.show({"base": "running", "tuned": "waiting"})
        shown.show({"base": "done", "tuned": "failed"})
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "base: running, 0 of 18 problems answered",
        "base: done, 18 of 18 problems answered",
        "tuned: failed, 0 of 18 problems answered",
    ]


def test_a_terminal_has_bars(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    (tmp_path / "rows.jsonl").write_text("{}\n" * 9)
    with AnsweredDisplay({"base": tmp_path / "rows.jsonl"}, 18, console) as shown:
        shown.show({"base": "running"})
    assert "9/18" in console.file.getvalue()  # type: ignore[attr-defined]
