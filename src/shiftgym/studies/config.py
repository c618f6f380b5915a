"""The study file: what is trained, on which splits, with how much compute. Checked whole before anything runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import tomli_w
from pydantic import Field, field_validator

from shiftgym.errors import ConfigError
from shiftgym.evaluation.compare import Compare
from shiftgym.models.loading.shipped import HUB_ID, backbones, is_local
from shiftgym.models.loading.template_file import template_text
from shiftgym.placement import Placement
from shiftgym.reading import WrongValue, nearest, override, read_toml, typed
from shiftgym.studies.compared import completed, learn_from_train
from shiftgym.studies.fitting import check_dtype, check_study, known_splits
from shiftgym.studies.tables import BranchTable, Budget, EvaluationTable, Init, Probes, RecipeTable, Table, TaskTable
from shiftgym.studies.track import Track
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task, load_task, population_field
from shiftgym.training.registry import load_recipe

LIBRARY = Path(__file__).parent / "library"
"""The shipped studies."""

Names = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""A name that also names a folder."""


class _Named(Table):
    """A model by its name."""

    model: str = "points-0"
    """A backbone (a shipped one, or `smollm2`), a model directory, a GGUF file, or a hub id `owner/name`, which may
    name a `@revision`."""
    chat_template: str | None = None
    """A file with a Jinja template that replaces the model's own, or its text, as which a run keeps it."""
    template_variables: dict[str, Any] = Field(default_factory=dict)
    """Variable of the model's chat template -> its value, as `enable_thinking = false` for models that can do without
    thinking."""

    @field_validator("model")
    @classmethod
    def _exists(cls, model: str) -> str:
        if model in backbones():
            return model
        if is_local(model):
            return str(Path(model).resolve())
        if not HUB_ID.fullmatch(model):
            raise ValueError(f"{model!r} is no backbone, directory or hub id owner/name{nearest(model, backbones())}")
        return model

    @field_validator("chat_template")
    @classmethod
    def _read(cls, chat_template: str | None) -> str | None:
        try:
            return None if chat_template is None else template_text(chat_template)
        except ConfigError as error:
            raise ValueError(str(error)) from None


class _Setup(Placement, _Named):
    """A model, where it runs, and its problems."""

    data_seed: int = Field(0, ge=0)
    """Seed of the problems, which depend on no other seed."""
    task: TaskTable
    """The task, and the options that hold for all its splits; see `task.points` and `task.navigation`."""
    splits: dict[Names, dict[str, Any]] = Field(min_length=1)
    """Split -> the settings of its problems; see `splits.points` and `splits.navigation`."""
    track: Track | None = None
    """Which trackers hear of it while it goes. Without this table none does."""

    @property
    def placement(self) -> Placement:
        """Where the model runs and in which form."""
        return Placement(**{key: getattr(self, key) for key in Placement.model_fields})

    @property
    def chat_options(self) -> dict[str, Any]:
        """How conversations are written, as `load_policy` takes it."""
        return self.model_dump(include={"chat_template", "template_variables"})

    @property
    def task_settings(self) -> dict[str, Any]:
        """The task with the options and splits of this file, as plain values: the arguments of `build_task`."""
        values = self.model_dump(mode="json", include={"task", "splits"})
        options = {key: value for key, value in values["task"].items() if key != "name"}
        return {
            "name": self.task.name,
            "options": options,
            "splits": values["splits"],
            "seed": self.data_seed,
            "train": self.trained,
        }

    def build_task(self) -> Task:
        """The task with the options and splits of this file."""
        return build_task(**self.task_settings)

    @property
    def trained(self) -> str:
        """The split that is trained on, against whose rule perseveration is measured."""
        raise NotImplementedError

    def check(self) -> None:
        """WrongValue if values do not fit one another."""
        raise NotImplementedError

    def resolved(self) -> Self:
        """The same, checked by the task, with every default of the task written out."""
        try:
            task: Any = load_task(self.task.name)
        except ConfigError as error:
            raise WrongValue("task.name", str(error)) from None
        options = typed(task.Options, self.task.model_extra or {}, "task")
        settings = {name: typed(task.Setting, setting, "splits", name) for name, setting in self.splits.items()}
        # A task tells when it is made what its settings cannot do together.
        task(options, settings, self.data_seed, None)
        splits = {name: setting.model_dump(exclude_none=True) for name, setting in settings.items()}
        named = TaskTable(name=self.task.name, **options.model_dump())
        return self.model_copy(update={"task": named, "splits": splits})

    def completed(self) -> Self:
        """The same with the keys that follow from the rest of the file, which is known to be sound."""
        return self

    def to_toml(self) -> str:
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


class Study(_Setup):
    """Backbone, shared init, branches, and every checkpoint on every split."""

    name: Names
    """Name of the study. The name of its run folder begins with it."""
    title: str
    """Title of the report."""
    note: str | None = None
    """A sentence or two that the report shows beside its results."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of post-training; every branch runs once for each."""
    ranks: int = Field(1, ge=1)
    """Processes that carry out each branch together, with a GPU or a core each. Weights, gradients and the states of
    the optimizer are sharded over them, so that a model is trained that one device has no room for. Results are the
    same but for rounding."""
    compare: Compare = Compare()
    """What is compared. Keys that follow from the rest of the file may be left out."""
    engine: Literal["local", "ray"] = "local"
    """Where branches run: as processes of this machine, or on a Ray cluster (see docs/cluster.md)."""
    restarts: int = Field(2, ge=0)
    """How often a branch is started again from its last checkpoint when its process or its machine was lost. An error
    of its own ends it at once."""
    evaluation: EvaluationTable
    """What every checkpoint is tested on."""
    probes: Probes | None = None
    """Measures of memorisation and forgetting. Without this table they are not measured."""
    ladders: dict[Names, Annotated[tuple[str, ...], Field(min_length=2)]] = Field(default_factory=dict)
    """Name of what is shifted -> splits in the order of their distance from training."""
    budget: Budget
    """Compute of every branch, the same for all."""
    init: Init
    """The short SFT that branches start from."""
    branches: dict[Names, BranchTable] = Field(min_length=1)
    """Branch -> what every branch has (`branches`) and the settings of its recipe (`recipe.NAME`)."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError("give at least one seed, none twice, none negative")
        return seeds

    def check(self) -> None:
        check_study(self)

    @property
    def trained(self) -> str:
        return self.compare.train

    def resolved(self) -> Self:
        branches = {name: branch.resolved("branches", name) for name, branch in self.branches.items()}
        return super().resolved().model_copy(update={"init": self.init.resolved("init"), "branches": branches})

    def completed(self) -> Self:
        families = {name: load_recipe(branch.recipe).family for name, branch in self.branches.items()}
        compare = completed(self, families, population_field(load_task(self.task.name)))
        return self.model_copy(update={"compare": compare})

    def questions(self) -> dict[str, Any]:
        """What an answer depends on besides its model. How many problems are asked, and on which splits, is not in."""
        asked = self.model_dump(
            mode="json",
            include={"data_seed", "task", "splits", "chat_template", "template_variables", "dtype"},
            exclude_none=True,
        )
        return asked | self.evaluation.model_dump(include={"temperature", "samples", "max_new_tokens"})


class Training(_Setup):
    """One recipe on one model, outside any study."""

    seed: int = Field(0, ge=0)
    steps: int = Field(100, ge=1)
    """Steps: iterations in reinforcement and self-distillation, optimizer steps in every other recipe."""
    recipe: RecipeTable

    def resolved(self) -> Self:
        return super().resolved().model_copy(update={"recipe": self.recipe.resolved("recipe")})

    @property
    def trained(self) -> str:
        return self.recipe.settings.train_on

    def check(self) -> None:
        check_dtype(self, {"recipe": self.recipe})
        known_splits("recipe", self.recipe, self.splits)


PLACED = ("device", "attention", "gradient_checkpointing", "ranks", "engine", "restarts", "track")
"""Keys that say where and how a study is computed and who hears of it, but not what."""

PLACED_BRANCH = ("ranks", "tokens_per_pass")
"""Such keys of a table that says how a model is trained."""


def what_is_computed(setup: "_Setup") -> dict[str, Any]:
    """The values of a file that its results depend on by more than rounding. Where they are equal, one file may go on
    with what another began."""
    return unplaced(setup.model_dump())


def unplaced(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a file as plain values."""

    def of_table(table: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in table.items() if key not in PLACED_BRANCH}

    kept = {key: value for key, value in values.items() if key not in PLACED}
    kept |= {key: of_table(kept[key]) for key in ("init", "recipe") if key in kept}
    if "branches" in kept:
        kept["branches"] = {name: of_table(table) for name, table in kept["branches"].items()}
    return kept


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
    return read(Study, study_values(source), overrides, source=str(source))


def study_values(source: str | Path) -> dict[str, Any]:
    """What the file of a study holds, unchecked.

    Raises:
        ConfigError: there is no such file, or it is no TOML.
    """
    path = LIBRARY / f"{source}.toml" if source in shipped_studies() else Path(source)
    if not path.is_file():
        raise ConfigError(f"{source}: no shipped study and no file{nearest(str(source), shipped_studies())}")
    return read_toml(path)


def read(kind: type[Setup], values: dict[str, Any], overrides: Sequence[str], *, source: str) -> Setup:
    """`values`, changed by `overrides`, as a checked `kind` with every default of the task written out.

    Raises:
        ConfigError: names `source`, or the override that brought the wrong value.
    """
    changed = [override(values, assignment) for assignment in overrides]
    learn_from_train(values)
    try:
        return build(kind, values)
    except WrongValue as wrong:
        at = f"{wrong.path}."
        overridden = any(at.startswith(f"{key}.") or f"{key}.".startswith(at) for key in changed)
        raise ConfigError(f"{'--set' if overridden else source}: {wrong.path}: {wrong.reason}") from None


def build(kind: type[Setup], values: dict[str, Any]) -> Setup:
    """`values` as a checked `kind` with every default written out; WrongValue for the first fault."""
    setup = typed(kind, values).resolved()
    setup.check()
    return setup.completed()
