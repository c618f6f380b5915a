"""The `[track]` table: which trackers hear of a run, and the companions that tell them."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, field_validator

from shiftgym.reading import nearest
from shiftgym.studies.companions import Companion
from shiftgym.studies.tables import Table

TRACKERS = {
    "tensorboard": "shiftgym.tracking.tensorboard:Tensorboard",
    "wandb": "shiftgym.tracking.wandb:Wandb",
    "mlflow": "shiftgym.tracking.mlflow:Mlflow",
    "trackio": "shiftgym.tracking.trackio:Trackio",
}
"""Shipped tracker -> its class, as text, since it lies above and needs a package that may not be there."""


class Track(Table):
    """Which trackers hear of a run while it goes. No result depends on it; see `docs/trackers.md`."""

    to: tuple[str, ...] = ()
    """Some of `tensorboard`, `wandb`, `mlflow` and `trackio`, or a class of your own as `package.module:Class`."""
    project: str | None = Field(None, min_length=1)
    """The project of wandb and trackio, or experiment of mlflow, in which it is found. By default what WANDB_PROJECT or
    MLFLOW_EXPERIMENT_NAME says, or `shiftgym`."""
    wait: float = Field(30.0, ge=0, le=86_400)
    """Seconds that a run waits for a tracker at its end, a day at most. One that takes longer is stopped, with a
    warning."""

    @field_validator("to")
    @classmethod
    def _known(cls, to: tuple[str, ...]) -> tuple[str, ...]:
        for name in to:
            module, _, own = name.partition(":")
            if name not in TRACKERS and not (own.isidentifier() and all(map(str.isidentifier, module.split(".")))):
                raise ValueError(
                    f"unknown tracker {name!r}{nearest(name, TRACKERS)} (your own is named 'package.module:Class')"
                )
        found = tuple(dict.fromkeys(to))
        called = [_called(name) for name in found]
        for name in called:
            if called.count(name) > 1:
                raise ValueError(f"two trackers are called {name}; give each class a name of its own")
        return found

    def companions(self, folder: Path) -> list[Companion]:
        """One for each tracker of the run in `folder`."""
        return [self._companion(name, str(folder)) for name in self.to]

    def _companion(self, name: str, folder: str) -> Companion:
        command = ("track", folder, "--to", name)
        later = f"Replay it with: shiftgym {' '.join(command)}"
        return Companion(_called(name), command, later, self.wait)


def _called(name: str) -> str:
    """What a tracker is called in the output of a run, and its log in the run folder."""
    return name.rpartition(":")[2]


def track_overrides(to: Sequence[str] | None) -> list[str]:
    """The option `--track` as changes of a study."""
    return [] if to is None else [f"track.to={[*to]!r}"]
