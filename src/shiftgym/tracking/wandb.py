"""Weights & Biases: a run for each branch and seed, in one group, on this machine unless $WANDB_MODE says otherwise."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftgym.tracking.base import PROJECT, Point, Summary, Tracked, Whole, require

if TYPE_CHECKING:
    from wandb import Run

MODE = "WANDB_MODE"
FOLDER = "WANDB_DIR"
NAME = "WANDB_PROJECT"

AXES = ("step", "flops", "flops_paper", "fraction")
"""What values can be drawn against. At first it is the step."""


class Wandb:
    """See `tracking.base.Tracker`. A replay has the same ids. On this machine it takes the place of the files that were
    written before; a server puts a run in the place of the earlier one of the same id."""

    def __init__(self, whole: Whole) -> None:
        require("wandb")
        self._whole = whole
        self._project = whole.project or os.environ.get(NAME, PROJECT)
        # Nothing leaves this machine because someone is logged in on it.
        self._mode: Any = os.environ.get(MODE, "offline")
        self._folder = Path(os.environ.get(FOLDER, whole.folder))
        files = self._folder / "wandb"
        self.where = f"wandb sync {files}/offline-run-*" if self._mode == "offline" else f"wandb, {self._project}"
        self._runs: dict[str, Run] = {}

    def begin(self, run: Tracked) -> None:
        if run.title in self._runs:
            self._runs.pop(run.title).finish()
        self._runs[run.title] = self._open(run.title, run.kind, run.id, run.config)

    def log(self, run: Tracked, points: list[Point]) -> None:
        for step, values, compute in points:
            self._runs[run.title].log({"step": step, **compute, **values})

    def end(self, run: Tracked, state: str) -> None:
        ended = self._runs.pop(run.title)
        ended.summary["state"] = state
        ended.finish(exit_code=int(state in ("failed", "interrupted")))

    def close(self, summary: Summary | None) -> None:
        import wandb

        if summary is not None:
            run = self._open("summary", "summary", self._whole.id, self._whole.config)
            run.summary.update({**summary.values, **summary.verdicts, "result": summary.text})
            if summary.report is not None:
                report = wandb.Artifact(f"report-{self._whole.id}", type="report")
                report.add_file(str(summary.report))
                run.log_artifact(report)
            run.finish()
        # Until then wandb may not have written all that it was told.
        wandb.teardown()

    def _open(self, title: str, kind: str, key: str, config: Any) -> "Run":
        import wandb

        for old in (self._folder / "wandb").glob(f"offline-run-*-{key}"):
            shutil.rmtree(old)
        run = wandb.init(
            project=self._project,
            group=self._whole.name,
            job_type=kind,
            name=title,
            id=key,
            config={**config},
            dir=self._folder,
            mode=self._mode,
            settings=wandb.Settings(
                reinit="create_new",
                silent=True,
                console="off",
                # They would tell of this process, not of training.
                x_disable_stats=True,
                x_disable_meta=True,
                disable_git=True,
                disable_code=True,
            ),
        )
        for axis in AXES:
            run.define_metric(axis, hidden=True)
        run.define_metric("*", step_metric=AXES[0])
        return run
