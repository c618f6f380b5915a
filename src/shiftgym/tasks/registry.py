"""From the name of a task to its class: a shipped task, or a user's own as `package.module:Class`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from shiftgym.errors import ConfigError
from shiftgym.importing import import_class
from shiftgym.tasks.base import Task

SHIPPED = {
    "points": "shiftgym.tasks.points.task:PointsTask",
    "navigation": "shiftgym.tasks.navigation.task:NavigationTask",
}
"""Where each shipped task lives. Text, so that naming one task does not import the others."""

MEMBERS = ("name", "Options", "Setting", "outcomes", "problem", "start", "expert", "diagnose")
"""What a class must have to be a task (`tasks/base.py`)."""


def load_task(name: str) -> type[Task]:
    """The task class called `name`; ConfigError if there is none.

    A user's own module is also looked for in the current folder, where the console script does not look by itself.
    """
    path = SHIPPED.get(name, name)
    if ":" not in path:
        near = get_close_matches(name, SHIPPED, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"unknown task {name!r}: did you mean {near!r}? Your own task is named 'package.module:Class'"
        )
    found = import_class(path, "task")
    missing = [member for member in MEMBERS if not hasattr(found, member)]
    if missing:
        raise ConfigError(
            f"task {name!r}: class {found.__name__} lacks {', '.join(missing)}; see shiftgym/tasks/base.py"
        )
    return cast(type[Task], found)


def build_task(
    name: str,
    *,
    options: Mapping[str, object] | None = None,
    splits: Mapping[str, Mapping[str, object]] | None = None,
    seed: int = 0,
) -> Task:
    """A task from plain values, as the command line has them; without splits, one `train` split of default settings."""
    cls: Any = load_task(name)
    settings = {
        split: _typed(cls.Setting, values, f"splits.{split}") for split, values in (splits or {"train": {}}).items()
    }
    task: Task = cls(_typed(cls.Options, options or {}, "task"), settings, seed)
    return task


def require_split(task: Task, split: str) -> None:
    """ConfigError if the task has no such split."""
    if split not in task.splits:
        near = get_close_matches(split, task.splits, n=1, cutoff=0.0)
        raise ConfigError(f"unknown split {split!r}: did you mean {near[0]!r}?" if near else "the task has no splits")


def _typed(model: type[BaseModel], values: Mapping[str, object], table: str) -> BaseModel:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{table}.{reason(error, model)}") from None


def reason(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with the values for `model`, as `key: reason`; an unknown key first, as it explains the rest."""
    faults = error.errors(include_url=False)
    fault = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] != "extra_forbidden":
        return f"{key}: {fault['msg'].removeprefix('Value error, ')}"
    near = get_close_matches(key, model.model_fields, n=1)
    return f"{key}: unknown key; " + (
        f"did you mean {near[0]!r}?" if near else f"keys are {', '.join(model.model_fields)}"
    )
