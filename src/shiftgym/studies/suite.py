"""Several studies carried out one after the other, and the claims that are held against them.

runs/<suite>-<yyyymmdd-hhmmss>/
    suite.toml      which suite, at which scale, with which overrides
    <study>/        the run folder of each study
    <suite>-study.md, figures/<suite>/      the verdict on every claim, written again after every study
"""

import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ConfigDict

from shiftgym.errors import ConfigError
from shiftgym.reading import WrongValue, nearest, typed
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.claims import Claim, claims_page
from shiftgym.reports.runs import load_run
from shiftgym.studies.branch import write_text
from shiftgym.studies.config import Study, load_study
from shiftgym.studies.run import Finished, new_folder, run_in

SUITES = Path(__file__).parent / "suites"
"""The shipped suites."""

RECORD = "suite.toml"


class Scale(BaseModel):
    """A size at which a suite can be run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: dict[str, Any] = {}
    """Key of every study (dotted, where it has that table) -> value."""
    branches: dict[str, Any] = {}
    """Setting of every branch that has it -> value."""

    def overrides(self, study: Study) -> list[str]:
        """As `--set` has them."""
        tables = study.model_dump(exclude_none=True)
        changes = {key: value for key, value in self.study.items() if key.split(".")[0] in tables}
        recipes = {"init": study.init, **{f"branches.{name}": branch for name, branch in study.branches.items()}}
        for path, recipe in recipes.items():
            known = {*type(recipe).model_fields, *type(recipe.settings).model_fields}
            changes |= {f"{path}.{key}": value for key, value in self.branches.items() if key in known}
        return [
            tomli_w.dumps({"value": value}).replace("value = ", f"{key}=", 1).strip() for key, value in changes.items()
        ]


class Suite(BaseModel):
    """Studies and claims."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    studies: tuple[str, ...]
    """Shipped studies, in the order in which they are run."""
    claims: tuple[Claim, ...]
    figures: dict[str, tuple[str, ...]] = {}
    """Study -> figures of its report that the page of claims shows."""
    scales: dict[str, Scale] = {}


def shipped_suites() -> list[str]:
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def load_suite(name: str) -> Suite:
    """The shipped suite of that name."""
    try:
        return typed(Suite, tomllib.loads((SUITES / f"{name}.toml").read_text(encoding="utf-8")))
    except WrongValue as wrong:
        raise ConfigError(f"{name}: {wrong.path}: {wrong.reason}") from None


def run_suite(
    name: str, *, scale: str | None, overrides: Sequence[str], runs: Path, workers: int | None, plain: bool
) -> list[Finished]:
    """Carry out a suite in a new folder under `runs`.

    Raises:
        ConfigError: there is no such scale, or an override does not fit a study.
    """
    suite = load_suite(name)
    if scale is not None and scale not in suite.scales:
        raise ConfigError(f"{name}: there is no scale {scale!r}{nearest(scale, suite.scales)}")
    record = {"suite": name, "overrides": list(overrides), **({"scale": scale} if scale else {})}
    _studies(suite, record)
    folder = new_folder(runs, name)
    write_text(folder / RECORD, tomli_w.dumps(record))
    return resume_suite(folder, workers=workers, plain=plain)


def resume_suite(folder: Path, *, workers: int | None = None, plain: bool = False) -> list[Finished]:
    """Go on with a suite where it stood."""
    record = tomllib.loads((folder / RECORD).read_text(encoding="utf-8"))
    suite = load_suite(record["suite"])
    scale = f" --scale {record['scale']}" if "scale" in record else ""
    command = f"shiftgym study run {record['suite']}{scale}" + "".join(f" --set {one}" for one in record["overrides"])
    shown = Path("figures") / record["suite"]
    (folder / shown).mkdir(parents=True, exist_ok=True)
    page = folder / f"{record['suite']}-study.md"
    finished: list[Finished] = []
    analyses: dict[str, Analysis] = {}
    figures: dict[str, list[str]] = {}
    for name, study in _studies(suite, record).items():
        finished.append(run_in(folder / name, study, workers=workers, plain=plain))
        if not (folder / name / "report.html").is_file():
            continue
        analyses[name] = Analysis([load_run(folder / name)])
        # With overrides a study may lack a figure, such as one of another way to draw answers.
        drawn = [folder / name / "figures" / f"{figure}.png" for figure in suite.figures.get(name, ())]
        copies = {path: shown / f"{name}-{path.name}" for path in drawn if path.is_file()}
        for path, copy in copies.items():
            shutil.copyfile(path, folder / copy)
        figures[name] = [str(copy) for copy in copies.values()]
        write_text(page, claims_page(suite.title, suite.claims, analyses, command, figures))
        print(f"Claims: {page}")
    return finished


def _studies(suite: Suite, record: dict[str, Any]) -> dict[str, Study]:
    """Every study of the suite, at the scale and with the overrides of the record."""
    found = {}
    for name in suite.studies:
        study = load_study(name)
        scaled = suite.scales[record["scale"]].overrides(study) if "scale" in record else []
        found[name] = load_study(name, [*scaled, *record["overrides"]])
    return found
