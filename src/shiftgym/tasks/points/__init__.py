"""GeneralPoints: four cards make 24."""

from shiftgym.tasks.points.task import Hand, PointsTask, Setting

__all__ = ["Hand", "PointsTask", "Setting"]
