"""The environment `shiftgym-points` of verifiers: the study `points-text` of shiftgym.

To make one of your own, copy this package, give it another name, and name your study below. A study file may lie in
the package: `str(Path(__file__).with_name("study.toml"))`.
"""

import verifiers.v1 as vf

from shiftgym.integrations.verifiers import ShiftEnv, ShiftHarness, ShiftTask, ShiftTaskset, ShiftTasksetConfig


class PointsConfig(ShiftTasksetConfig):
    study: str = "points-text"


class PointsTaskset(ShiftTaskset, vf.Taskset[ShiftTask, PointsConfig]):
    """The first problems of a split of the study."""


__all__ = ["PointsTaskset", "ShiftEnv", "ShiftHarness"]
