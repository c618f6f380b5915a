"""Reading run folders, and which of them may be pooled."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.evaluation.rows import read_rows
from shiftgym.layout import RunFolder
from shiftgym.reports.runs import ComparisonRun, Run

EXPECTED = ("name", "title", "model", "seeds", "data_seed", "task", "compare", "evaluation")
"""What the file of every run folder has."""


def load_run(folder: Path) -> Run:
    """Read a run folder; of a run that is still running or was killed, what there is.

    Raises:
        DataError: the folder is no run folder, or a file in it cannot be read as what it should be.
    """
    layout = RunFolder(folder)
    path = layout.study
    if not path.is_file():
        raise DataError(f"{folder}: no run folder (it has no {path.name}); give a folder made by `shiftgym study run`")
    try:
        study = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no valid TOML ({error})") from error
    compares = "candidates" in study
    for table in EXPECTED if compares else (*EXPECTED, "budget", "branches"):
        if table not in study:
            raise DataError(f"{path}: {table!r} is missing; expected the resolved study that a run writes")
    # The whole file is written when the study ends; until then every branch has its own.
    paths = [layout.results] if layout.results.is_file() else [branch.results for branch in layout.begun()]
    rows = read_rows([path for path in paths if path.is_file() and path.stat().st_size])
    if not len(rows):
        first = "every model has answered" if compares else "the shared start is evaluated"
        raise DataError(f"{folder}: no results yet; the first ones come when {first}")
    return ComparisonRun(folder, study, rows) if compares else Run(folder, study, rows)


def load_runs(folders: Sequence[Path]) -> list[Run]:
    """Runs of one study on different backbones; DataError if they cannot be pooled, or as for `load_run`."""
    runs = [load_run(folder) for folder in folders]
    check_poolable(runs)
    return runs


def check_poolable(runs: Sequence[Run]) -> None:
    """Runs may be compared problem by problem only if they are the same study on different backbones."""
    first = runs[0]
    for other in runs[1:]:
        for key in ("data_seed", "seeds", "splits", "compare", "evaluation", "task"):
            if other.study.get(key) != first.study.get(key):
                raise DataError(
                    f"{other.folder}: [{key}] differs from that of {first.folder}; "
                    "pool only runs of the same study on different backbones"
                )
        if [branch.name for branch in other.branches] != [branch.name for branch in first.branches]:
            raise DataError(f"{other.folder}: its branches are not those of {first.folder}; pool only the same study")
    names = [run.backbone for run in runs]
    if len(set(names)) < len(names):
        raise DataError(f"backbones {', '.join(names)}: a backbone occurs twice; give one run for each")
