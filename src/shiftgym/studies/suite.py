"""A suite: several studies, and the claims that they test. Checked whole before anything runs."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shiftgym.errors import ConfigError
from shiftgym.following.declaration import COMPUTE
from shiftgym.reading import WrongValue, nearest, read_toml, typed
from shiftgym.reports.claims import Claim
from shiftgym.studies.config import Study, build, load_study, read, shipped_studies, study_values
from shiftgym.studies.plan import START
from shiftgym.studies.tables import RecipeTable

SUITES = Path(__file__).parent / "suites"
"""The shipped suites."""


PER_SPLIT = ("trajectory", "trajectory-secondary", "pareto", "reading")
"""Figures of a report that it has once for each split."""


class Scale(BaseModel):
    """A size at which a suite can be run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: dict[str, Any] = {}
    """Key of every study (dotted, where it has that table) -> value."""
    branches: dict[str, Any] = {}
    """Setting of every branch that has it -> value."""

    def changes(self, study: Study) -> dict[str, Any]:
        """Key path -> value, for what `study` has."""
        tables = study.model_dump(exclude_none=True)
        found = {key: value for key, value in self.study.items() if key.split(".")[0] in tables}
        for path, table in _recipes(study).items():
            found |= {f"{path}.{key}": value for key, value in self.branches.items() if key in _keys(table)}
        return found


class SuiteTables(BaseModel):
    """What the file of a suite holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    """Title of the page of claims."""
    studies: tuple[str, ...] = Field(min_length=1)
    """Shipped studies, or paths of study files from the folder of the suite's file, in the order in which they run."""
    claims: tuple[Claim, ...] = ()
    figures: dict[str, tuple[str, ...]] = {}
    """Study -> figures of its report that the page of claims shows."""
    scales: dict[str, Scale] = {}


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite with its studies read."""

    name: str
    tables: SuiteTables
    studies: dict[str, Study]
    """By name, at the scale and with the overrides that were asked for."""


def shipped_suites() -> list[str]:
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def suite_file(source: str | Path) -> Path:
    """The file of a shipped suite, or the path as it is."""
    return SUITES / f"{source}.toml" if source in shipped_suites() else Path(source)


def is_suite(source: str) -> bool:
    """Whether a shipped name or a path is that of a suite, which has a list of studies, and not that of a study.

    Raises:
        ConfigError: it is neither.
    """
    known = [*shipped_studies(), *shipped_suites()]
    if source in known:
        return source in shipped_suites()
    if not Path(source).is_file():
        raise ConfigError(f"{source}: no shipped study or suite, and no file{nearest(source, known)}")
    keys = read_toml(Path(source)).keys()
    if "studies" not in keys and not keys & (Study.model_fields.keys() - {"title"}):
        raise ConfigError(f"{source}: neither a suite, with a list `studies`, nor a study, with [task] and [branches]")
    return "studies" in keys


def load_suite(source: str | Path, *, scale: str | None = None, overrides: Sequence[str] = ()) -> Suite:
    """The suite called `source` (a shipped one, or a path), checked whole, at every scale.

    Args:
        scale: the size of its studies; None: as they are.
        overrides: `key.path=value` each, for every study.

    Raises:
        ConfigError: `FILE: key.path: reason`, with the nearest valid key or value where there is one.
    """
    file = suite_file(source)
    try:
        tables = typed(SuiteTables, read_toml(file))
        sources, studies = _studies(tables, file.parent)
        _check_claims(tables, studies)
        _check_figures(tables, studies)
        for name in tables.scales:
            _check_scale(name, tables.scales[name], sources, studies)
        if scale is not None and scale not in tables.scales:
            raise ConfigError(f"{source}: there is no scale {scale!r}{nearest(scale, tables.scales)}")
        changes = tables.scales[scale].changes if scale is not None else lambda _: {}
        chosen = {
            name: read(Study, _changed(sources[name], changes, study), overrides, source=str(sources[name]))
            for name, study in studies.items()
        }
        # With overrides a study may lack what a claim names.
        _check_claims(tables, chosen)
    except WrongValue as wrong:
        path = re.sub(r"\.(\d+)\b", r"[\1]", wrong.path)
        raise ConfigError(f"{source}: {path}: {wrong.reason}") from None
    return Suite(file.stem, tables, chosen)


def _studies(tables: SuiteTables, folder: Path) -> tuple[dict[str, str | Path], dict[str, Study]]:
    """By the name of each study: where it comes from, and the study as it is there."""
    sources: dict[str, str | Path] = {}
    studies: dict[str, Study] = {}
    for number, entry in enumerate(tables.studies):
        source = entry if entry in shipped_studies() else folder / entry
        if isinstance(source, Path) and not source.is_file():
            reason = f"{entry!r} is no shipped study, and there is no file {source}{nearest(entry, shipped_studies())}"
            raise WrongValue(f"studies.{number}", reason)
        study = load_study(source)
        if study.name in studies:
            raise WrongValue(f"studies.{number}", f"{study.name!r} is the name of an earlier study of the list, too")
        sources[study.name], studies[study.name] = source, study
    return sources, studies


def _check_claims(tables: SuiteTables, studies: Mapping[str, Study]) -> None:
    for number, claim in enumerate(tables.claims):
        at = f"claims.{number}"
        _known(f"{at}.study", "the suite has no study", claim.study, studies)
        study = studies[claim.study]
        _known(f"{at}.a", f"{study.name} has no branch", claim.a, [START, *study.branches])
        _known(f"{at}.b", f"{study.name} has no branch", claim.b, [START, *study.branches])
        _known(f"{at}.split", f"{study.name} does not evaluate the split", claim.split, study.evaluation.splits)


def _check_figures(tables: SuiteTables, studies: Mapping[str, Study]) -> None:
    for name, figures in tables.figures.items():
        _known(f"figures.{name}", "the suite has no study", name, studies)
        for number, figure in enumerate(figures):
            _known(
                f"figures.{name}.{number}", f"the report of {name} has no figure", figure, figure_names(studies[name])
            )


def figure_names(study: Study) -> list[str]:
    """Every figure that the report of a study may have (`reports/page.py` draws them)."""
    splits, decodings = study.evaluation.splits, study.evaluation.decodings
    return [
        *(f"{figure}-{split}" for figure in PER_SPLIT for split in splits),
        *(f"{figure}-{decoding}" for figure in ("recognition", "outcomes") for decoding in decodings),
        *(f"ladder-{name}" for name in study.ladders),
        *(f"success-{axis}" for axis in COMPUTE),
        "validity",
    ]


def _check_scale(name: str, scale: Scale, sources: Mapping[str, str | Path], studies: Mapping[str, Study]) -> None:
    """Every key is one that a study has, and every study is sound at this scale."""
    at = f"scales.{name}"
    for key in scale.study:
        table = key.split(".")[0]
        _known(f"{at}.study.{key}", "a study has no key", table, Study.model_fields)
    for key in scale.branches:
        settings = {one for study in studies.values() for table in _recipes(study).values() for one in _keys(table)}
        _known(f"{at}.branches.{key}", "no recipe of the suite has a setting", key, sorted(settings))
    for study in studies.values():
        try:
            build(Study, _changed(sources[study.name], scale.changes, study))
        except WrongValue as wrong:
            last = wrong.path.split(".")[-1]
            in_branches = wrong.path not in scale.study and last in scale.branches
            path = f"{at}.branches.{last}" if in_branches else f"{at}.study.{wrong.path}"
            raise WrongValue(path, f"{wrong.reason} (in {study.name})") from None


def _changed(source: str | Path, changes: Callable[[Study], dict[str, Any]], study: Study) -> dict[str, Any]:
    """What the file of a study holds, with the changes that a scale makes to it."""
    whole = study_values(source)
    for path, value in changes(study).items():
        values = whole
        *tables, last = path.split(".")
        for table in tables:
            values = values.setdefault(table, {})
            if not isinstance(values, dict):
                raise WrongValue(path, f"{table!r} is a value, not a table")
        values[last] = value
    return whole


def _recipes(study: Study) -> dict[str, RecipeTable]:
    """Key path -> the tables of the shared start and of every branch."""
    return {"init": study.init, **{f"branches.{name}": branch for name, branch in study.branches.items()}}


def _keys(table: RecipeTable) -> list[str]:
    """What the table may hold: keys of its own, and those of its recipe."""
    return [*type(table).model_fields, *type(table.settings).model_fields]


def _known(path: str, reason: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise WrongValue(path, f"{reason} {name!r}{nearest(name, known)}")
