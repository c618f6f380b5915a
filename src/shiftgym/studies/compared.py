"""Completes the `[compare]` table of a study, and checks that everything named in it exists.

Missing keys are filled in from settings and recipes, never from the names of splits or branches. Where several values
are possible, the study file has to give one.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from shiftgym.evaluation.compare import Compare
from shiftgym.evaluation.measures import MEASURES
from shiftgym.reading import WrongValue, nearest
from shiftgym.training.recipe import Family

if TYPE_CHECKING:
    from shiftgym.studies.config import Study


def learn_from_train(values: dict[str, Any]) -> None:
    """Let every recipe of a study file that names no split of its own learn from `compare.train`, in place."""
    compare, branches = values.get("compare"), values.get("branches")
    train = compare.get("train") if isinstance(compare, dict) else None
    if train is None:
        return
    tables = [values.get("init"), *(branches.values() if isinstance(branches, dict) else ())]
    for table in tables:
        if isinstance(table, dict):
            table.setdefault("train_on", train)


def completed(study: "Study", families: Mapping[str, Family], population: str | None) -> Compare:
    """The `[compare]` table with every key that the file left out.

    Args:
        study: with every default of its task written out.
        families: branch -> the family of its recipe.
        population: the field of a split's settings that says which problems it has, if the task has one.

    Raises:
        WrongValue: something is named that does not exist, or a key that is left out has several possible values.
    """
    declared, evaluated = study.compare, study.evaluation
    said = declared.model_fields_set
    found: dict[str, Any] = {}
    if "train" not in said:
        found["train"] = study.init.settings.train_on
    train = found.get("train", declared.train)
    if "home" not in said:
        found["home"] = _home(study, train, population)
    home = found.get("home", declared.home)
    if "shifted" not in said:
        found["shifted"] = tuple(split for split in evaluated.splits if split not in (train, home))
    if "decoding" not in said and "sampled" not in evaluated.decodings:
        found["decoding"] = evaluated.decodings[0]
    taken = {declared.supervised, declared.reinforced, *declared.controls}
    # A branch that learns from another split, or starts from another branch, answers another question.
    free = [name for name, one in study.branches.items() if one.settings.train_on == train and one.start == "init"]
    for key in ("supervised", "reinforced"):
        if key not in said:
            found[key] = _only(key, [name for name in free if name not in taken and families[name] == key])
    compare = declared.model_copy(update=found)
    _check(compare, study)
    return compare


def _home(study: "Study", train: str, population: str | None) -> str:
    def factors(split: str) -> dict[str, Any]:
        return {key: value for key, value in study.splits[split].items() if key != population}

    alike = [one for one in study.evaluation.splits if one != train and factors(one) == factors(train)]
    if len(alike) > 1:
        raise _several("home", alike)
    if alike:
        return alike[0]
    if train in study.evaluation.splits:
        return train
    reason = f"no evaluated split has the setting of {train!r}; name the one whose problems are closest to it"
    raise WrongValue("compare.home", reason)


def _only(key: str, candidates: list[str]) -> str | None:
    if len(candidates) > 1:
        raise _several(key, candidates)
    return candidates[0] if candidates else None


def _several(key: str, candidates: list[str]) -> WrongValue:
    *others, last = candidates
    reason = f"{', '.join(others)} and {last} could be it; name the one that the study is about"
    return WrongValue(f"compare.{key}", reason)


def _check(compare: Compare, study: "Study") -> None:
    evaluated = study.evaluation
    _known("home", compare.home, evaluated.splits, "evaluated split")
    for split in compare.shifted:
        _known("shifted", split, evaluated.splits, "evaluated split")
        if split in (compare.train, compare.home):
            raise WrongValue("compare.shifted", f"{split!r} is the train split or the home split already")
    named = [*filter(None, (compare.supervised, compare.reinforced)), *compare.controls]
    for key, branches in (
        ("supervised", [compare.supervised]),
        ("reinforced", [compare.reinforced]),
        ("controls", compare.controls),
    ):
        for branch in branches:
            if branch is None:
                continue
            _known(key, branch, study.branches, "branch")
            if named.count(branch) > 1:
                reason = f"{branch!r} is named twice in [compare]; name a branch once"
                raise WrongValue(f"compare.{key}", reason)
    _known("decoding", compare.decoding, evaluated.decodings, "evaluated decoding")
    _known("measure", compare.measure, MEASURES, "measure")
    for split, measure in compare.measures.items():
        _known("measures", split, compare.shifted, "shifted split")
        _known(f"measures.{split}", measure, MEASURES, "measure")


def _known(key: str, name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise WrongValue(f"compare.{key}", f"there is no {what} {name!r}{nearest(name, known)}")
