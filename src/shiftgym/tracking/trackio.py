"""Trackio: a run for each branch and seed, in one group, in `RUN/trackio/` unless $TRACKIO_DIR, $TRACKIO_SPACE_ID or
$TRACKIO_SERVER_URL says otherwise."""

import os
from collections.abc import Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any

from shiftgym.tracking.base import PROJECT, Point, Summary, Tracked, Whole, require

if TYPE_CHECKING:
    from trackio import Run

FOLDER = "TRACKIO_DIR"
REMOTE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")


class Trackio:
    """See `tracking.base.Tracker`. A replay takes the place of the runs of the same name on this machine."""

    def __init__(self, whole: Whole) -> None:
        require("trackio")
        # Read when the package is imported.
        folder = os.environ.setdefault(FOLDER, str((whole.folder / "trackio").absolute()))
        self._project = whole.project or PROJECT
        self._whole = whole
        remote = next((os.environ[name] for name in REMOTE if os.environ.get(name)), None)
        self.where = f"trackio at {remote}" if remote else f"{FOLDER}={folder} trackio show --project {self._project}"
        self._runs: dict[str, Run] = {}

    def begin(self, run: Tracked) -> None:
        if run.title in self._runs:
            self._runs.pop(run.title).finish()
        self._runs[run.title] = self._open(run.title, run.config)

    def log(self, run: Tracked, points: list[Point]) -> None:
        for step, values, compute in points:
            self._runs[run.title].log({**compute, **values}, step=step)

    def end(self, run: Tracked, state: str) -> None:
        self._runs.pop(run.title).finish()

    def close(self, summary: Summary | None) -> None:
        if summary is not None:
            found = {"verdicts": {**summary.verdicts}, "result": summary.text}
            run = self._open("summary", {**self._whole.config, **found})
            run.log({**summary.values}, step=0)
            run.finish()

    def _open(self, title: str, config: Mapping[str, Any]) -> "Run":
        """Begin a run in the place of one of the same name. No other study of the project has one of that name."""
        import trackio

        name = f"{self._whole.name}/{title}"
        try:
            there = list(trackio.Api().runs(self._project))
        except ValueError:
            # There is no such project yet.
            there = []
        for old in there:
            if old.name == name:
                old.delete()
        # In a context of its own, since Trackio ends the run of the same context when it begins another one.
        return Context().run(
            trackio.init,
            self._project,
            name=name,
            group=self._whole.name,
            config={**config},
            embed=False,
            # They would tell of this process, not of training.
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
