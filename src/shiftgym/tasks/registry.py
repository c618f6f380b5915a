"""From the name of a task to its class and to a task with its settings."""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from shiftgym.errors import ConfigError
from shiftgym.plugins import load_class
from shiftgym.reading import WrongValue, nearest, override, typed
from shiftgym.tasks.base import Task

SHIPPED = {
    "points": "shiftgym.tasks.points.task:PointsTask",
    "navigation": "shiftgym.tasks.navigation.task:NavigationTask",
    "reasoning_gym": "shiftgym.tasks.reasoning_gym.task:ReasoningGymTask",
}
"""Where each shipped task lives. Text, so that naming one task does not import the others."""

MEMBERS = ("name", "Options", "Setting", "outcomes", "problem", "start", "expert", "diagnose")
"""What a class must have to be a task (`tasks/base.py`)."""


def load_task(name: str) -> type[Task]:
    """The task class called `name`, a shipped one or `package.module:Class`; ConfigError if there is none."""
    return cast(type[Task], load_class(name, "task", SHIPPED, members=MEMBERS, contract="shiftgym/tasks/base.py"))


def build_task(
    name: str,
    *,
    options: Mapping[str, object] | None = None,
    splits: Mapping[str, Mapping[str, object]] | None = None,
    seed: int = 0,
    train: str | None = "train",
) -> Task:
    """A task from plain values, as the command line has them.

    Args:
        name: a shipped task, or `package.module:Class`.
        options: settings of the whole task.
        splits: settings of each split; without them there is one split `train` of default settings.
        seed: decides the problems, and nothing else does.
        train: the split that is trained on. Perseveration is measured against its rule, and not at all if it is None
            or not among the splits.

    Raises:
        ConfigError: there is no such task, or a setting is not one that it has.
    """
    cls: Any = load_task(name)
    try:
        settings = {
            split: typed(cls.Setting, values, "splits", split) for split, values in (splits or {"train": {}}).items()
        }
        task: Task = cls(typed(cls.Options, options or {}, "task"), settings, seed, train)
    except WrongValue as wrong:
        raise ConfigError(f"{wrong.path}: {wrong.reason}") from None
    return task


def population_field(task: type[Task]) -> str | None:
    """The field of the settings of a split that may be both `train` and `test`, if there is one."""
    fields = task.Setting.model_fields.items()
    return next((name for name, field in fields if {"train", "test"} <= set(get_args(field.annotation))), None)


def default_splits(task: type[Task]) -> dict[str, dict[str, object]]:
    """A split `train` of default settings, and a split `test` beside it if the settings have a population field."""
    population = population_field(task)
    return {name: {population: name} for name in ("train", "test")} if population else {"train": {}}


def changed_defaults(name: str, overrides: Sequence[str]) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """Options and splits of the task called `name`, its default ones with these changes, as `build_task` takes them.

    Args:
        overrides: `task.KEY=value` or `splits.NAME.KEY=value` each; a split of another name is a further one.

    Raises:
        ConfigError: there is no such task, or a change is to something else.
    """
    values: dict[str, Any] = {"task": {}, "splits": default_splits(load_task(name))}
    for assignment in overrides:
        if override(values, assignment).split(".")[0] not in ("task", "splits"):
            raise ConfigError(f"--set {assignment}: without a study, set task.KEY=value or splits.NAME.KEY=value")
    return values["task"], values["splits"]


def require_split(task: Task, split: str) -> None:
    """ConfigError if the task has no such split."""
    if not isinstance(split, str) or split not in task.splits:
        raise ConfigError(f"unknown split {split!r}{nearest(str(split), task.splits)}")
