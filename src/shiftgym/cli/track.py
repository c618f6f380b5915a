"""`shiftgym track`: tells a tracker of a run, without logic."""

from pathlib import Path


def track(run: Path, /, *, to: str, project: str | None = None) -> None:
    """Tell a tracker of a run: every step, every evaluated checkpoint, the settings and the result.

    A run that goes on is followed until it ends. Telling it again doubles nothing.

    Nothing leaves this machine unless the tracker's own variables say so.

    Example: shiftgym track runs/points-text-20260101-120000 --to tensorboard

    Parameters
    ----------
    run
        A run folder of `study run` or `compare`, or the folder of `train`.
    to
        tensorboard, wandb, mlflow or trackio, or a class of your own as package.module:Class.
    project
        The project or experiment in which the tracker has it. By default what the run's [track] table says, else the
        tracker's own environment variables, else shiftgym.
    """
    from shiftgym.tracking.tell import tell

    tell(run, to, project)
