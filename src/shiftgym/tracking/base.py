"""What a tracker is: whoever hears of a run as it goes, step by step and checkpoint by checkpoint.

A tracker is told everything from the beginning each time, by one process for each tracker (`tracking/tell.py`). So it
puts what it is told in the place of what it was told before of a run of the same `id`, or leaves out what it has
already. Then a replay doubles nothing.
"""

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from shiftgym.errors import ConfigError
from shiftgym.plugins import load_class
from shiftgym.studies.track import TRACKERS

PROJECT = "shiftgym"
"""The project of those who name none."""

EVAL, BY_COMPUTE = "eval/", "eval_by_gflops/"
"""How keys begin of what is measured at checkpoints, and of the same with GFLOPs in the place of the step."""

GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Whole:
    """What is tracked: a study, a comparison of checkpoints, or one training."""

    folder: Path
    """The run folder."""
    name: str
    """The group of its runs in a tracker: the name of the run folder, after that of its suite if it has one."""
    project: str | None
    """In which project it is to be found, if that was said."""
    config: Mapping[str, Any]
    """The settings of all of it, as nested tables."""
    id: str
    """The same for each replay of this run folder, wherever it lies; of another folder it is another."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """One branch with one seed, one candidate of a comparison, or one training: a run, in the word of most trackers."""

    title: str
    """Its name within the group, as `ppo-seed0`."""
    kind: str
    """The branch or candidate that it is a seed of."""
    config: Mapping[str, Any]
    """The settings that hold for it, as nested tables."""
    id: str
    """As that of the whole."""


class Point(NamedTuple):
    """What is known of one step: of training, or of the evaluation of its checkpoint."""

    step: int
    """Training step."""
    values: Mapping[str, float]
    """Key -> value, as `train/reward` or `eval/rule_ood/success`; all are finite."""
    compute: Mapping[str, float]
    """What had been spent by then, for trackers that have several axes: `flops` as executed, `flops_paper`, and of a
    checkpoint `fraction`, that of the budget."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run has found, when it is over."""

    text: str
    """As `shiftgym study run` prints it at the end."""
    values: Mapping[str, float] = field(default_factory=dict)
    """`difference/SPLIT/A-B` -> the difference by the primary measure, and `..._low` and `..._high` of its interval."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """`verdict/SPLIT/A-B` -> rose, fell or undecided, `effect/SPLIT` -> whether the effect appeared; of a comparison of
    checkpoints `verdict/SPLIT/CANDIDATE` -> generalised, memorised and so on."""
    report: Path | None = None
    """report.html, if it was written."""


class Tracker(Protocol):
    """One that hears of a run. It is made with a `Whole` as its only argument. If it raises or hangs, the run goes on
    with a warning."""

    where: str
    """A sentence that tells the user where to look, such as a command or an address."""

    def begin(self, run: Tracked) -> None:
        """Hear of a run, before its points. Where a resumed branch went back to its last checkpoint, this is called
        once more, and all its points are told again."""

    def log(self, run: Tracked, points: list[Point]) -> None:
        """Hear of the next steps of a run, or of the evaluation of one of its checkpoints, each once."""

    def end(self, run: Tracked, state: str) -> None:
        """Hear that nothing more comes of a run that was begun.

        Args:
            state: `done`, `stopped` where training diverged, `failed`, or `interrupted`.
        """

    def close(self, summary: Summary | None) -> None:
        """Hear that the whole is over, with what it found, if it found anything."""


def require(package: str) -> None:
    """
    Raises:
        ConfigError: the package of a tracker, which has its name, is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"the tracker {package} is not installed: pip install 'shiftgym[{package}]'")


def load_tracker(name: str, whole: Whole) -> Tracker:
    """The tracker called `name`: a shipped one, or a class of a user's own.

    Raises:
        ConfigError: there is none of this name, or its package is not installed.
    """
    members = ("begin", "log", "end", "close")
    tracker: Tracker = load_class(name, "tracker", TRACKERS, members=members, contract="docs/trackers.md")(whole)
    return tracker


def by_compute(points: Iterable[Point]) -> list[Point]:
    """What was measured at checkpoints once more, with GFLOPs as executed in the place of the step: for trackers that
    have no other axis."""
    return [
        Point(
            round(compute["flops"] / GIGA),
            {BY_COMPUTE + key[len(EVAL) :]: value for key, value in values.items() if key.startswith(EVAL)},
            {},
        )
        for _, values, compute in points
        if "flops" in compute and any(key.startswith(EVAL) for key in values)
    ]


def flat(config: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Nested tables as one table, whose keys are paths such as `task.rule`."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, *path, key) if isinstance(value, Mapping) else {".".join([*path, key]): value}
    return found
