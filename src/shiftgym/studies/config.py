"""The study file: what is trained, on which splits, with how much compute. Checked whole before anything runs."""

import re
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, field_validator

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Decoding
from shiftgym.models.shipped import shipped
from shiftgym.reading import WrongValue, nearest, override, typed
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task, load_task
from shiftgym.training.registry import load_recipe
from shiftgym.training.settings import Accounting, TrainingSettings

LIBRARY = Path(__file__).parent / "library"
"""The shipped studies."""

Names = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""What becomes the name of a folder."""


NO_BRANCHES = {"init": "the shared start", "model": "the model as it is"}
"""Names of starts that are no branches."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TaskTable(_Table):
    """The `[task]` table: the name, and the options of that task, which the task itself checks."""

    model_config = ConfigDict(extra="allow")

    name: str
    """`points`, or a class of your own as `package.module:Class`."""


class EvaluationTable(_Table):
    """What every checkpoint is tested on."""

    splits: tuple[str, ...] = Field(min_length=1)
    """Splits that every checkpoint plays."""
    problems: int = Field(128, ge=1)
    """Problems a split; always the first ones, the same for every checkpoint, branch and seed."""
    decodings: tuple[Decoding, ...] = Field(("sampled", "greedy"), min_length=1)
    """How answers are drawn."""
    samples: int = Field(1, ge=1)
    """Answers to each problem under the sampled decoding; a row of results.jsonl holds their mean."""
    temperature: float = Field(1.0, gt=0)
    """Temperature of the sampled decoding."""
    max_new_tokens: int = Field(96, ge=1)
    """Longest answer, in tokens."""


class Probes(_Table):
    """Measures of memorisation and forgetting, of every checkpoint; see `docs/measures.md`."""

    splits: tuple[str, ...] = Field(min_length=1)
    """Splits that are probed."""
    problems: int = Field(32, ge=1)
    """Problems a split, the first ones."""
    samples: int = Field(16, ge=1)
    """First answers that are sampled for each decision: pass@k is told for k = 1, 2, 4 ... up to this many."""


class Budget(_Table):
    """Compute of every branch, the same for all."""

    flops: float = Field(gt=0)
    """Forward and backward FLOPs of training and generation; evaluation is not counted."""
    accounting: Accounting = "executed"
    """`executed`: FLOPs of all that was run, padding and prompts included. `paper`: the paper's formula, 6ND for
    training and a fixed multiple of it for generation."""
    checkpoints: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
    """Fractions of the budget after which a branch is saved and evaluated; they rise, and the last one is 1."""

    @field_validator("checkpoints")
    @classmethod
    def _rising(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < fraction <= 1 for fraction in fractions):
            raise ValueError("fractions of the budget lie above 0 and not above 1")
        if list(fractions) != sorted(set(fractions)):
            raise ValueError("fractions must rise, as in [0.1, 0.4, 1.0]")
        if not fractions or fractions[-1] != 1:
            raise ValueError("the last fraction must be 1.0, so that all branches end at equal compute")
        return fractions


class RecipeTable(_Table):
    """A table that says how a model is trained: the recipe, and the settings of that recipe, which it checks itself."""

    model_config = ConfigDict(extra="allow")

    recipe: str
    """A shipped recipe (`docs/recipes.md`), or a class of your own as `package.module:Class`."""

    @property
    def settings(self) -> TrainingSettings:
        """The settings of the recipe."""
        return load_recipe(self.recipe).Settings.model_validate(self.model_extra)

    def resolved(self, *path: str) -> Self:
        """The same with every default of the recipe written out; WrongValue if it has no such settings.

        Args:
            path: where this table stands in the file.
        """
        own = type(self).model_fields
        at = ".".join([*path, "recipe"])
        try:
            kind = load_recipe(self.recipe).Settings
        except ConfigError as error:
            raise WrongValue(at, str(error)) from None
        if taken := [name for name in kind.model_fields if name in own]:
            raise WrongValue(at, f"{kind.__name__} may have no {', '.join(taken)}, which is a key of this table itself")
        settings = typed(kind, self.model_extra or {}, *path, beside=own)
        return type(self)(**{name: getattr(self, name) for name in own}, **settings.model_dump(exclude_none=True))


class Init(RecipeTable):
    """The short training that all branches start from. Once a seed; it ends after `steps`, not by the budget."""

    recipe: str = "sft"
    """How the start is trained."""
    steps: int = Field(ge=1)
    """Optimizer steps."""


class BranchTable(RecipeTable):
    """One recipe from one starting checkpoint, once a seed."""

    role: Literal["main", "control"] = "main"
    """Whether the study is about this branch, or it shows what else could explain the result."""
    label: str = Field(min_length=1, max_length=40)
    """What the report calls it."""
    start: str = "init"
    """The branch of the same seed that it starts from; `init` is the short SFT that all share, `model` the model as it
    is."""
    start_at: float = Field(default=1.0, gt=0, le=1)
    """The checkpoint of that branch, as a fraction of its budget."""


class _Setup(_Table):
    """A model, and the problems it meets."""

    model: str = "points-0"
    """A shipped backbone, a model directory, or a hub id `owner/name`."""
    data_seed: int = Field(0, ge=0)
    """Decides the problems, and nothing else does."""
    task: TaskTable
    splits: dict[Names, dict[str, Any]] = Field(min_length=1)
    """Settings of each population of problems, which the task itself checks."""

    @field_validator("model")
    @classmethod
    def _exists(cls, model: str) -> str:
        if model in shipped():
            return model
        if Path(model).is_dir():
            return str(Path(model).resolve())
        if not re.fullmatch(r"\w[\w.-]*/[\w.-]+", model):
            raise ValueError(
                f"{model!r} is no shipped backbone, directory or hub id owner/name{nearest(model, shipped())}"
            )
        return model

    def build_task(self) -> Task:
        """The task with the options and splits of this file."""
        return build_task(self.task.name, options=self.task.model_extra, splits=self.splits, seed=self.data_seed)

    def check(self) -> None:
        """WrongValue if values do not fit one another."""
        raise NotImplementedError

    def resolved(self) -> Self:
        """The same, checked by the task, with every default of the task written out."""
        try:
            task = load_task(self.task.name)
        except ConfigError as error:
            raise WrongValue("task.name", str(error)) from None
        options = typed(task.Options, self.task.model_extra or {}, "task").model_dump()
        splits = {
            name: typed(task.Setting, setting, "splits", name).model_dump(exclude_none=True)
            for name, setting in self.splits.items()
        }
        return self.model_copy(update={"task": TaskTable(name=self.task.name, **options), "splits": splits})

    def to_toml(self) -> str:
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


class Study(_Setup):
    """Backbone, shared init, branches, and every checkpoint on every split."""

    name: Names
    """Begins the name of the run folder."""
    title: str
    """Headline of the report."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of post-training; every branch runs once for each."""
    evaluation: EvaluationTable
    probes: Probes | None = None
    ladders: dict[Names, Annotated[tuple[str, ...], Field(min_length=2)]] = {}
    """Splits in the order of their distance from training, by what is shifted."""
    budget: Budget
    init: Init
    branches: dict[Names, BranchTable] = Field(min_length=1)

    def resolved(self) -> Self:
        branches = {name: branch.resolved("branches", name) for name, branch in self.branches.items()}
        return super().resolved().model_copy(update={"init": self.init.resolved("init"), "branches": branches})

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError("give at least one seed, none twice, none negative")
        return seeds

    def check(self) -> None:
        for taken, what in NO_BRANCHES.items():
            if taken in self.branches:
                raise WrongValue(
                    f"branches.{taken}", f"{taken!r} is what {what} is called; give the branch another name"
                )
        _known_splits("init", self.init, self.splits)
        for name, branch in self.branches.items():
            _known_splits(f"branches.{name}", branch, self.splits)
            self._check_start(name, branch)
        for split in self.evaluation.splits:
            _known_split("evaluation.splits", split, self.splits)
        for name, rungs in self.ladders.items():
            for split in rungs:
                _known_split(f"ladders.{name}", split, self.evaluation.splits)
        for split in self.probes.splits if self.probes else ():
            _known_split("probes.splits", split, self.splits)

    def _check_start(self, name: str, branch: BranchTable) -> None:
        if branch.start in NO_BRANCHES:
            if branch.start_at != 1:
                raise WrongValue(f"branches.{name}.start_at", f"{branch.start!r} has one checkpoint only, at 1.0")
            return
        others = [other for other in self.branches if other != name]
        if branch.start not in others:
            reason = f"there is no other branch {branch.start!r}{nearest(branch.start, [*NO_BRANCHES, *others])}"
            raise WrongValue(f"branches.{name}.start", reason)
        if self.branches[branch.start].start not in NO_BRANCHES:
            raise WrongValue(f"branches.{name}.start", f"{branch.start!r} starts from another branch itself")
        if branch.start_at not in self.budget.checkpoints:
            known = ", ".join(map(str, self.budget.checkpoints))
            raise WrongValue(f"branches.{name}.start_at", f"{branch.start} has no such checkpoint; it has {known}")


class Training(_Setup):
    """One recipe on one model, outside any study."""

    seed: int = Field(0, ge=0)
    steps: int = Field(100, ge=1)
    """Steps: iterations in reinforcement and self-distillation, optimizer steps in every other recipe."""
    recipe: RecipeTable

    def resolved(self) -> Self:
        return super().resolved().model_copy(update={"recipe": self.recipe.resolved("recipe")})

    def check(self) -> None:
        _known_splits("recipe", self.recipe, self.splits)


Setup = TypeVar("Setup", bound=_Setup)


def shipped_studies() -> list[str]:
    return sorted(path.stem for path in LIBRARY.glob("*.toml"))


def load_study(source: str | Path, overrides: Sequence[str] = ()) -> Study:
    """The study called `source` (a shipped one, or a path), with every default written out.

    Args:
        overrides: `key.path=value` each; the value is read as TOML, or else as a string.

    Raises:
        ConfigError: `FILE: key.path: reason`, with the nearest valid key or value where there is one.
    """
    path = LIBRARY / f"{source}.toml" if source in shipped_studies() else Path(source)
    if not path.is_file():
        raise ConfigError(f"{source}: no shipped study and no file{nearest(str(source), shipped_studies())}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no valid TOML: {error}") from None
    return read(Study, values, overrides, source=str(source))


def read(kind: type[Setup], values: dict[str, Any], overrides: Sequence[str], *, source: str) -> Setup:
    """`values`, changed by `overrides`, as a checked `kind` with every default of the task written out.

    Raises:
        ConfigError: names `source`, or the override that brought the wrong value.
    """
    changed = [override(values, assignment) for assignment in overrides]
    try:
        setup = typed(kind, values).resolved()
        setup.check()
        return setup
    except WrongValue as wrong:
        at = f"{wrong.path}."
        overridden = any(at.startswith(f"{key}.") or f"{key}.".startswith(at) for key in changed)
        raise ConfigError(f"{'--set' if overridden else source}: {wrong.path}: {wrong.reason}") from None


def _known_splits(path: str, table: RecipeTable, splits: Collection[str]) -> None:
    """Every split that a recipe learns from is there: settings that end in `_on` name one."""
    for key, value in table.settings:
        if key.endswith("_on"):
            _known_split(f"{path}.{key}", value, splits)


def _known_split(path: str, split: str, splits: Collection[str]) -> None:
    if split not in splits:
        raise WrongValue(path, f"there is no split {split!r}{nearest(split, splits)}")
