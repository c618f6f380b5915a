"""The problems of a study, opened as sessions by split and index, or by a row of a data set that names them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import isnan
from numbers import Integral
from pathlib import Path
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.integrations.session import Pictures, Session
from shiftgym.reading import require_count
from shiftgym.studies.config import Study, load_study
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.registry import build_task, require_split
from shiftgym.tasks.walk import decisions


class Problems:
    """The problems of a study.

        problems = Problems("points-text")
        problems.splits                           # ('train', 'id', 'rule_ood')
        session = problems.session("rule_ood", 3)

    Args:
        study: a shipped study, a study file, or a `Study`; its task, splits and data seed are used.
        overrides: `key.path=value` each, to change the study, as in `task.limit=3`.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt, or only that it failed.

    Raises:
        ConfigError: there is no such study, or the limit is below 1.
    """

    task: Task
    study: Study

    def __init__(
        self,
        study: Study | str | Path = "points-text",
        *,
        overrides: Sequence[str] = (),
        limit: int | None = None,
        feedback: bool = True,
    ) -> None:
        if limit is not None:
            require_count("limit", limit, "attempts")
        self.study = study if isinstance(study, Study) else load_study(study, overrides)
        self.task = self.study.build_task()
        self._asked: dict[str, Any] = {"limit": limit, "feedback": feedback}
        self._settings = json.dumps({"task": self.study.task_settings, **self._asked})

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.task.splits)

    def session(self, split: str, index: int, *, decision: int | None = None, pictures: Pictures = "pil") -> Session:
        """The episode on problem `index` of `split`; the arguments are those of `Session`.

        Raises:
            ConfigError: there is no such split, problem or decision.
        """
        problem = problem_at(self.task, split, index)
        return Session(self.task, problem, decision=decision, pictures=pictures, **self._asked)

    def row(self, split: str, index: int, *, decision: int | None = None) -> dict[str, Any]:
        """Plain values that name a problem and say all it takes to pose and judge it in another process, by `opened`.
        A study file need not be there; other files that the settings name, such as the map of a city, have to.

        Raises:
            ConfigError: there is no such split or problem.
        """
        require_split(self.task, split)
        return {"split": split, "index": _number(index), "decision": decision, "settings": self._settings}

    def by_decision(self, split: str, indices: Iterable[int]) -> Iterator[tuple[dict[str, Any], Decision]]:
        """Every decision of some problems, with the row that names it.

        Raises:
            ConfigError: there is no such split or problem.
        """
        for index in indices:
            for number, decision in enumerate(decisions(self.task, problem_at(self.task, split, index))):
                yield self.row(split, index, decision=number), decision


def opened(row: Mapping[str, Any], *, pictures: Pictures = "pil") -> Session:
    """The episode that a row names, as `Problems.row` gives it; what else the row holds does not matter.

    The row is trusted as a study file is: a task of one's own that it names is imported.

    Raises:
        ConfigError: there is no such task, setting, split, problem or decision.
    """
    task, asked = posed(row["settings"])
    problem, decision = problem_at(task, row["split"], row["index"]), row.get("decision")
    if isinstance(decision, float) and isnan(decision):
        decision = None  # as pandas has it where another row names a decision
    return Session(task, problem, decision=decision, pictures=pictures, **asked)


def problem_at(task: Task, split: str, index: int) -> Any:
    """A problem of a task, whoever names it.

    Raises:
        ConfigError: there is no such split or problem.
    """
    require_split(task, split)
    return task.problem(split, _number(index))


def _number(index: Any) -> int:
    """Which problem an index names; tables of others have integers of NumPy."""
    if not isinstance(index, Integral) or isinstance(index, bool) or index < 0:
        raise ConfigError(f"index: {index!r} is no problem; they are counted from 0")
    return int(index)


@lru_cache
def posed(settings: str) -> tuple[Task, dict[str, Any]]:
    """The task that the `settings` of a row name, and the limit and feedback that they ask for, as `Session` and `play`
    take them."""
    values = json.loads(settings)
    return build_task(**values.pop("task")), values
