"""GeneralPoints: four cards make 24."""

from shiftgym.tasks.points.task import Hand, PointsOptions, PointsSetting, PointsTask

__all__ = ["Hand", "PointsOptions", "PointsSetting", "PointsTask"]
