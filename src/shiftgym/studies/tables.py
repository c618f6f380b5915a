"""The tables of a study file, one class each. Reading them loads no torch."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Decoding
from shiftgym.reading import WrongValue, typed
from shiftgym.training.registry import load_recipe
from shiftgym.training.settings import Accounting, TrainingSettings


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TaskTable(Table):
    """The `[task]` table: the name, and the options of that task, which the task itself checks."""

    model_config = ConfigDict(extra="allow")

    name: str
    """`points`, `navigation`, or a class of your own as `package.module:Class`."""


class EvaluationTable(Table):
    """What every checkpoint is tested on: arguments of `shiftgym.evaluate`."""

    splits: tuple[str, ...] = Field(min_length=1)
    """Splits that every checkpoint is tested on."""
    problems: int = Field(128, ge=1)
    """Problems a split; always the first ones, the same for every checkpoint, branch and seed."""
    decodings: tuple[Decoding, ...] = Field(("sampled", "greedy"), min_length=1)
    """How answers are drawn. `greedy` takes the most likely token each time."""
    samples: int = Field(1, ge=1)
    """Answers to each problem under the sampled decoding; a row of results.jsonl holds their mean."""
    temperature: float = Field(1.0, gt=0)
    """Temperature of the sampled decoding."""
    max_new_tokens: int = Field(96, ge=1)
    """Longest answer, in tokens."""


class Probes(Table):
    """Measures of memorisation and forgetting, of every checkpoint; see `docs/measures.md`."""

    splits: tuple[str, ...] = Field(min_length=1)
    """Splits that are probed."""
    problems: int = Field(32, ge=1)
    """Problems a split, the first ones."""
    samples: int = Field(16, ge=1)
    """First answers that are sampled for each decision: pass@k is reported for k = 1, 2, 4 ... up to this many."""


class Budget(Table):
    """Compute of every branch, the same for all."""

    flops: float = Field(gt=0)
    """Forward and backward FLOPs of training and generation; evaluation is not counted."""
    accounting: Accounting = "executed"
    """`executed`: all FLOPs that were executed, including those of padding and prompts. `paper`: the paper's formula,
    6ND for training and a fixed multiple of it for generation."""
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


class RecipeTable(Table):
    """A table that says how a model is trained: the recipe and its settings, which the recipe itself checks."""

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
            path: the key of this table in the file.
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
    ranks: int | None = Field(default=None, ge=1)
    """Processes that train and answer together, as `ranks` of the study; by default so many."""


class BranchTable(RecipeTable):
    """One recipe from one starting checkpoint, once a seed."""

    label: str = Field(min_length=1, max_length=40)
    """Its name in the report."""
    start: str = "init"
    """The branch of the same seed that it starts from; `init` is the short SFT that all share, `model` the model as it
    is."""
    start_at: float = Field(default=1.0, gt=0, le=1)
    """The checkpoint of that branch, as a fraction of its budget."""
    ranks: int | None = Field(default=None, ge=1)
    """Processes that train and answer together, as `ranks` of the study; by default so many."""
