"""Progress is read from the rows that candidates write."""

import io
from pathlib import Path

from rich.console import Console

from shiftgym.candidates.progress import Answering, Progress
from shiftgym.candidates.run import prepare
from tests.candidates.conftest import SMALL


def test_a_log_has_a_line_for_every_change(tmp_path: Path) -> None:
    judging = prepare(["points-0", "points-0"], study="points-text", overrides=SMALL, labels=["base", "tuned"])
    todo = {one.label: Answering(one, one.checkpoints[0]) for one in judging.candidates}
    console = Console(file=io.StringIO(), width=120)
    with Progress(todo, judging, tmp_path, console) as progress:
        progress.show({"base": "running", "tuned": "waiting"})
        folder = todo["base"].folder(tmp_path)
        folder.path.mkdir(parents=True)
        folder.results.write_text("{}\n" * 18)
        progress.show({"base": "running", "tuned": "waiting"})
        progress.show({"base": "done", "tuned": "failed"})
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "base: running, 0 of 18 problems answered",
        "base: done, 18 of 18 problems answered",
        "tuned: failed, 0 of 18 problems answered",
    ]
