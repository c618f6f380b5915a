"""Reading run folders, and which of them may be pooled."""

from collections.abc import Sequence
from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.evaluation.rows import read_rows
from shiftgym.following.declaration import ComparisonDeclaration, read_declaration
from shiftgym.layout import RunFolder
from shiftgym.reports.runs import LoadedComparison, LoadedRun


def load_run(folder: Path) -> LoadedRun:
    """Read a run folder; of a run that is still running or was killed, what there is.

    Raises:
        DataError: the folder is no run folder, or a file in it cannot be read as what it should be.
    """
    declared = read_declaration(folder)
    compares = isinstance(declared, ComparisonDeclaration)
    layout = RunFolder(folder)
    # The whole file is written when the study ends; until then every branch has its own.
    paths = [layout.results] if layout.results.is_file() else [branch.results for branch in layout.begun()]
    rows = read_rows([path for path in paths if path.is_file() and path.stat().st_size])
    if not len(rows):
        first = "every model has answered" if compares else "the shared start is evaluated"
        raise DataError(f"{folder}: no results yet; the first ones come when {first}")
    return (LoadedComparison if compares else LoadedRun)(folder, declared.study, rows)


def load_runs(folders: Sequence[Path]) -> list[LoadedRun]:
    """Runs of one study on different backbones; DataError if they cannot be pooled, or as for `load_run`."""
    runs = [load_run(folder) for folder in folders]
    check_poolable(runs)
    return runs


def check_poolable(runs: Sequence[LoadedRun]) -> None:
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
