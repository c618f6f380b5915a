"""What a run folder says of itself before anything has run: branches, splits, measures, and how success is looked at.

`study.toml` alone is read. What follows a run and what reports on it take these from here, so both show the same.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from shiftgym.errors import DataError
from shiftgym.evaluation.compare import Compare, Part
from shiftgym.evaluation.measures import MEASURES
from shiftgym.following.expected import check
from shiftgym.following.lines import LARGEST, opened
from shiftgym.layout import RunFolder
from shiftgym.plugins import comes_with
from shiftgym.reading import WrongValue, typed
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task
from shiftgym.training.settings import FLOPS

COMPUTE = {"flops": "FLOPs as executed", "flops_paper": "FLOPs by the paper's formula"}
"""The two ways in which a study counts compute."""

START = "init"
"""The branch that all others start from, if they do not say otherwise."""

EXPECTED = ("name", "title", "model", "seeds", "data_seed", "task", "compare", "evaluation")
"""What the file of every run folder has."""


@dataclass(frozen=True, slots=True)
class BranchInfo:
    """One recipe as the study file declares it."""

    name: str
    label: str
    start: str = START
    """The branch that it starts from; `model` is none."""
    start_at: float = 0.0
    """The checkpoint of that branch; the common start lies at 0."""


class View(NamedTuple):
    """A measure under one decoding, with its label."""

    decoding: str
    measure: str
    label: str


def measured(measure: str, decoding: str, limit: int) -> str:
    """A measure and how its answers were drawn, as in `success with 5 attempts, sampled`."""
    # With one attempt, success within the limit is success with one attempt.
    row = MEASURES["success_1" if measure == "success" and limit == 1 else measure]
    return f"{(row.phrase or row.label).format(limit)}, {decoding}"


@dataclass(frozen=True)
class Declaration:
    """One study on one backbone, as its run folder declares it."""

    noun: ClassVar[str] = "branch"
    nouns: ClassVar[str] = "branches"
    kind: ClassVar[Literal["study", "comparison"]] = "study"

    folder: Path
    study: dict[str, Any]

    @cached_property
    def branches(self) -> list[BranchInfo]:
        """The start and then every branch, in the order of the study file."""
        declared = [
            BranchInfo(
                name,
                table["label"],
                start := table.get("start", START),
                0.0 if start == START else table["start_at"],
            )
            for name, table in self.study["branches"].items()
        ]
        return [BranchInfo(START, "start"), *declared]

    @cached_property
    def named(self) -> dict[str, BranchInfo]:
        """Name -> branch."""
        return {branch.name: branch for branch in self.branches}

    def part(self, branch: str) -> Part | Literal["start"]:
        """What a branch is in the comparison."""
        return "start" if branch == START else self.compare.part(branch)

    def checkpoint(self, branch: str, fraction: float) -> str:
        """What a checkpoint is called beside its episodes."""
        return "start" if branch == START else f"{100 * fraction:.4g} % of budget"

    @property
    def note(self) -> str | None:
        """A sentence or two of the study file that the report shows."""
        return self.study.get("note")

    @cached_property
    def compare(self) -> Compare:
        """What the study compares."""
        try:
            return typed(Compare, self.study["compare"], "compare")
        except WrongValue as wrong:
            raise DataError(f"{RunFolder(self.folder).study}: {wrong.path}: {wrong.reason}") from None

    @cached_property
    def task(self) -> Task:
        """The task as the study had it.

        Raises:
            DataError: it is code that came with the run folder. Whoever looks at a run has not asked for that to run.
        """
        options = {key: value for key, value in self.study["task"].items() if key != "name"}
        splits, seed = self.study["splits"], self.study["data_seed"]
        name, train = self.study["task"]["name"], self.compare.train
        check_code(self, self.folder)
        return build_task(name, options=options, splits=splits, seed=seed, train=train)

    @property
    def splits(self) -> list[str]:
        return list(self.study["evaluation"]["splits"])

    @property
    def decodings(self) -> list[str]:
        return list(self.study["evaluation"]["decodings"])

    @property
    def problems(self) -> int:
        return int(self.study["evaluation"]["problems"])

    @property
    def seeds(self) -> list[int]:
        return list(self.study["seeds"])

    @property
    def limit(self) -> int:
        """Attempts a decision."""
        return int(self.study["task"]["limit"])

    @property
    def axes(self) -> dict[str, str]:
        """The ways in which the progress of a branch is counted, by name in rows."""
        return COMPUTE

    @property
    def equal(self) -> str:
        """The axis on which all branches end at the same value."""
        return FLOPS[self.study["budget"].get("accounting", "executed")]

    @property
    def budget(self) -> float | None:
        """Where they end on that axis; None if nobody knows."""
        return float(self.study["budget"]["flops"])

    def primary(self, split: str) -> View:
        """The primary measure of a split."""
        decoding, measure = self.compare.decoding, self.compare.primary(split)
        return View(decoding, measure, measured(measure, decoding, self.limit))

    @cached_property
    def views(self) -> list[View]:
        """Success with one attempt and with all of them, by decoding."""
        first, last = MEASURES["success_1"], MEASURES["success"]
        rates = [(first, first.label), (last, last.called(self.limit))] if self.limit > 1 else [(last, first.label)]
        return [
            View(decoding, measure.name, f"{decoding}, {label}")
            for decoding in self.decodings
            for measure, label in rates
        ]

    def secondary(self, split: str) -> list[View]:
        """The views that are not the primary one."""
        primary = self.primary(split)
        return [view for view in self.views if view[:2] != primary[:2]]

    def asked(self, split: str) -> list[View]:
        """The primary measure of a split, and then the other views."""
        return [self.primary(split), *self.secondary(split)]


class ComparisonDeclaration(Declaration):
    """Candidates that answer the problems of a study. BASE is the start, and every other candidate is a branch."""

    noun, nouns = "model", "models"
    kind = "comparison"
    note = None  # that of the study file speaks of the branches of the study

    @cached_property
    def branches(self) -> list[BranchInfo]:
        return [BranchInfo(key, of["label"]) for key, of in self.study["candidates"].items()]

    def checkpoints(self, branch: str) -> Sequence[dict[str, Any]]:
        """Those of a candidate, oldest first: `step`, `source`, and `flops` where they are known."""
        return list(self.study["candidates"][branch]["checkpoints"])

    @property
    def axes(self) -> dict[str, str]:
        """Steps, where a candidate has several checkpoints, and FLOPs, where they are known of all of these."""
        trained = [of["checkpoints"] for of in self.study["candidates"].values() if len(of["checkpoints"]) > 1]
        known = all("flops" in each for checkpoints in trained for each in checkpoints)
        return ({"step": "steps"} | ({"flops": "FLOPs of training"} if known else {})) if trained else {}

    @property
    def equal(self) -> str:
        return "step"

    @property
    def budget(self) -> float | None:
        return None

    def checkpoint(self, branch: str, fraction: float) -> str:
        """Its step, where steps are known; nothing where no candidate has several."""
        last = self.checkpoints(branch)[-1]["step"]
        unknown = "BASE" if branch == START else "unknown step"
        return "" if not self.axes else f"step {round(fraction * last)}" if last else unknown


def check_code(declared: Declaration, within: Path) -> None:
    """Refuse a run that cannot be shown without running code from a folder.

    Args:
        within: what came with the run: its own folder, or one in which it lies with others.

    Raises:
        DataError: its task is code in that folder.
    """
    name = declared.study["task"]["name"]
    if ":" in name and comes_with(name, within):
        raise DataError(f"{within}: task {name!r} is code in this folder, which is not run to show it")


def read_declaration(folder: Path) -> Declaration:
    """What a run folder declares.

    Raises:
        DataError: the folder is no run folder, or its `study.toml` cannot be read as what it should be.
    """
    path = RunFolder(folder).study
    file = opened(path)
    if file is None:
        raise DataError(f"{folder}: no run folder (it has no {path.name}); give a folder made by `shiftgym study run`")
    with file:
        text = file.read(LARGEST)
    try:
        study = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        # Too many digits and too deep a nesting are no faults of TOML, but of this reader.
        raise DataError(f"{path}: no valid TOML ({error})") from error
    compares = "candidates" in study
    for table in EXPECTED if compares else (*EXPECTED, "budget", "branches"):
        if table not in study:
            raise DataError(f"{path}: {table!r} is missing; expected the resolved study that a run writes")
    try:
        check(study)
    except WrongValue as wrong:
        raise DataError(f"{path}: {wrong.path}: {wrong.reason}") from None
    return ComparisonDeclaration(folder, study) if compares else Declaration(folder, study)
