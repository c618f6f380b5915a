"""TensorBoard: an event file for each branch and seed, in `RUN/tensorboard/TITLE/`."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shiftgym.tracking.base import Point, Summary, Tracked, Whole, by_compute, require

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

SUMMARY = "summary"
"""The folder of what the whole has found."""


class Tensorboard:
    """See `tracking.base.Tracker`. A replay writes new files in the place of the old ones.

    Steps are its only axis beside time, so what is measured at checkpoints is written by compute as well.
    """

    def __init__(self, whole: Whole) -> None:
        require("tensorboard")
        self._whole = whole
        self._folder = whole.folder / "tensorboard"
        self.where = f"tensorboard --logdir {self._folder}"
        self._writers: dict[str, EventFileWriter] = {}

    def begin(self, run: Tracked) -> None:
        self._open(run.title)
        self._text(run.title, {"config": _code(run.config)})

    def log(self, run: Tracked, points: list[Point]) -> None:
        for step, values, _ in [*points, *by_compute(points)]:
            self._scalars(run.title, step, values)
        self._writers[run.title].flush()

    def end(self, run: Tracked, state: str) -> None:
        self._text(run.title, {"state": state})
        self._writers.pop(run.title).close()

    def close(self, summary: Summary | None) -> None:
        if summary is not None:
            self._open(SUMMARY)
            self._text(SUMMARY, {"result": f"```\n{summary.text}\n```", "config": _code(self._whole.config)})
            self._scalars(SUMMARY, 0, summary.values)
            self._writers.pop(SUMMARY).close()

    def _open(self, title: str) -> None:
        """Begin an event file anew."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if title in self._writers:
            self._writers.pop(title).close()
        folder = self._folder / title
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writers[title] = EventFileWriter(str(folder))

    def _scalars(self, title: str, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary as Proto

        self._add(title, step, Proto(value=[Proto.Value(tag=key, simple_value=each) for key, each in values.items()]))

    def _text(self, title: str, texts: Mapping[str, str]) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        for key, text in texts.items():
            self._add(title, 0, text_pb(key, text))

    def _add(self, title: str, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writers[title].add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _code(config: Mapping[str, Any]) -> str:
    """Settings as a block of code in Markdown."""
    return f"```json\n{json.dumps(config, indent=1)}\n```"
