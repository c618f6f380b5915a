"""Carrying out a suite: its studies one after the other, and the page of claims after each of them.

The files of the folder are described in `layout.SuiteFolder`.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Unpack

import tomli_w
from rich.console import Console

from shiftgym.errors import ConfigError
from shiftgym.files import replacing, write_text
from shiftgym.layout import SuiteFolder
from shiftgym.reading import WrongValue, read_toml, typed
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.claims import claims_page
from shiftgym.reports.load import load_run
from shiftgym.studies.companions import Companions, page_companion
from shiftgym.studies.run import Finished, RunOptions, connect, on_engine, prepare, recorded_study, resume_study
from shiftgym.studies.run_folder import new_folder
from shiftgym.studies.suite import SuiteTables, load_suite

INTRODUCED = 5.0
"""Seconds within which the page of a suite says where it is."""


class Record(SuiteTables):
    """What a run records of its suite. Resuming needs only this and the studies in the run folders, so the suite's own
    file may change or move."""

    name: str
    """Name of the suite."""
    command: str
    """The command that began the run."""


def run_suite(
    source: str,
    *,
    scale: str | None,
    overrides: Sequence[str],
    runs: Path,
    **options: Unpack[RunOptions],
) -> list[Finished]:
    """Carry out a suite in a new folder under `runs`. The arguments are those of `run_study`.

    Raises:
        ConfigError: the suite has a fault, there is no such scale or device, or an override does not fit a study.
    """
    suite = load_suite(source, scale=scale, overrides=overrides)
    changes = [*(["--scale", scale] if scale else []), *(f"--set {one}" for one in overrides)]
    kept = suite.tables.model_dump(mode="json", exclude_none=True, exclude={"scales"})
    record = {
        "name": suite.name,
        "command": " ".join(["shiftgym study run", source, *changes]),
        **kept,
        "studies": [*suite.studies],
    }
    studies = {name: on_engine(study, options.get("engine")) for name, study in suite.studies.items()}
    with ExitStack() as connected:
        for study in studies.values():
            # A cluster that is joined is kept until the last study has ended.
            connected.enter_context(closing(connect(study, options.get("workers"), options.get("address"))))
        folder = SuiteFolder(new_folder(runs, suite.name))
        for name, study in studies.items():
            prepare(folder.run(name).path, study)
        # Written last: a folder that has this file can be resumed.
        write_text(folder.suite, tomli_w.dumps(record))
        return resume_suite(folder.path, **options)


def resume_suite(path: Path, *, overrides: Sequence[str] = (), **options: Unpack[RunOptions]) -> list[Finished]:
    """Resume a suite. The arguments are those of `resume_study`. It has one page for all its studies.

    Raises:
        ConfigError: as for `resume_study`, and before anything runs if `overrides` do not fit every study.
    """
    folder = SuiteFolder(path)
    try:
        suite = typed(Record, read_toml(folder.suite))
    except WrongValue as wrong:
        raise ConfigError(f"{folder.suite}: {wrong.path}: {wrong.reason}") from None
    for name in suite.studies:
        recorded_study(folder.run(name).path, overrides=overrides)
    of_study: RunOptions = {**options, "view": False}
    with Companions([page_companion(path)] if options.get("view") else [], path, Console()) as companions:
        companions.start()
        companions.meet(INTRODUCED)
        return _carry_out(folder, suite, partial(resume_study, overrides=overrides, **of_study))


def _carry_out(folder: SuiteFolder, suite: Record, resume: Callable[[Path], Finished]) -> list[Finished]:
    shown, page = folder.figures(suite.name), folder.claims(suite.name)
    finished: list[Finished] = []
    analyses: dict[str, Analysis] = {}
    figures: dict[str, list[str]] = {}
    for name in suite.studies:
        run = folder.run(name)
        finished.append(resume(run.path))
        if not run.report.is_file():
            continue
        analyses[name] = Analysis([load_run(run.path)])
        # With overrides a study may lack a figure, such as one of another decoding.
        drawn = [run.figures / f"{figure}.png" for figure in suite.figures.get(name, ())]
        copies = {figure: shown / f"{name}-{figure.name}" for figure in drawn if figure.is_file()}
        for figure, copy in copies.items():
            with replacing(copy) as unfinished:
                shutil.copyfile(figure, unfinished)
        figures[name] = [str(copy.relative_to(folder.path)) for copy in copies.values()]
        write_text(page, claims_page(suite.title, suite.claims, analyses, suite.command, figures))
        print(f"Claims: {page}")
    return finished
