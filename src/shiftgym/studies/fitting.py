"""Whether the tables of a study fit one another: splits and starts that exist, adapters and number formats that go
together."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from shiftgym.placement import FLASH, FLOAT16, SIXTEEN_BITS, Placement
from shiftgym.reading import WrongValue, nearest
from shiftgym.studies.tables import BranchTable, RecipeTable

if TYPE_CHECKING:
    from shiftgym.studies.config import Study

NO_BRANCHES = {"init": "the shared start", "model": "the model as it is"}
"""Names of starts that are no branches."""


def check_study(study: "Study") -> None:
    """WrongValue if tables of a study do not fit one another."""
    for taken, what in NO_BRANCHES.items():
        if taken in study.branches:
            raise WrongValue(f"branches.{taken}", f"{taken!r} is what {what} is called; give the branch another name")
    check_dtype(study, {"init": study.init, **{f"branches.{name}": each for name, each in study.branches.items()}})
    # Checked before the tables, since recipes that name no split learn from this one.
    if "train" in study.compare.model_fields_set:
        _known_split("compare.train", study.compare.train, study.splits)
    known_splits("init", study.init, study.splits)
    for name, branch in study.branches.items():
        known_splits(f"branches.{name}", branch, study.splits)
        _check_start(study, name, branch)
    for split in study.evaluation.splits:
        _known_split("evaluation.splits", split, study.splits)
    for name, rungs in study.ladders.items():
        for split in rungs:
            _known_split(f"ladders.{name}", split, study.evaluation.splits)
    for split in study.probes.splits if study.probes else ():
        _known_split("probes.splits", split, study.splits)


def check_dtype(placement: Placement, tables: Mapping[str, RecipeTable]) -> None:
    """WrongValue if the attention kernel or a recipe, by the path of its table, cannot do with the number format."""
    if placement.attention.startswith(FLASH) and placement.dtype == "float32":
        raise WrongValue("attention", f"{placement.attention!r} {SIXTEEN_BITS}, or another kernel, or auto")
    for path, table in tables.items():
        if placement.dtype == "float16" and table.settings.lora is None:
            raise WrongValue("dtype", f"{FLOAT16}, or {path}.lora = {{ rank = 16 }}")


def known_splits(path: str, table: RecipeTable, splits: Collection[str]) -> None:
    """Check that every split that a recipe learns from exists: settings that end in `_on` name one."""
    for key, value in table.settings:
        if key.endswith("_on"):
            _known_split(f"{path}.{key}", value, splits)


def _known_split(path: str, split: str, splits: Collection[str]) -> None:
    if split not in splits:
        raise WrongValue(path, f"there is no split {split!r}{nearest(split, splits)}")


def _check_start(study: "Study", name: str, branch: BranchTable) -> None:
    if branch.start in NO_BRANCHES:
        if branch.start_at != 1:
            raise WrongValue(f"branches.{name}.start_at", f"{branch.start!r} has one checkpoint only, at 1.0")
        if branch.start == "init":
            _check_adapter(name, branch, study.init)
        return
    others = [other for other in study.branches if other != name]
    if branch.start not in others:
        reason = f"there is no other branch {branch.start!r}{nearest(branch.start, [*NO_BRANCHES, *others])}"
        raise WrongValue(f"branches.{name}.start", reason)
    if study.branches[branch.start].start not in NO_BRANCHES:
        raise WrongValue(f"branches.{name}.start", f"{branch.start!r} starts from another branch itself")
    if branch.start_at not in study.budget.checkpoints:
        known = ", ".join(map(str, study.budget.checkpoints))
        raise WrongValue(f"branches.{name}.start_at", f"{branch.start} has no such checkpoint; it has {known}")
    _check_adapter(name, branch, study.branches[branch.start])


def _check_adapter(name: str, branch: BranchTable, start: RecipeTable) -> None:
    """WrongValue if a branch cannot go on with the adapter that it starts from."""
    own, there = branch.settings.lora, start.settings.lora
    if own and there and own != there:
        values = ", ".join(f"{key} = {value!r}" for key, value in there)
        reason = f"it goes on with the adapter of {branch.start}, so it must have {values}; without lora it trains "
        raise WrongValue(f"branches.{name}.lora", f"{reason}the merged model")
