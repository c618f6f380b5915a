"""`shiftgym study ...`: the commands about studies, without logic. Each imports what it needs when it runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from shiftgym.cli.options import (
    Address,
    Attention,
    ChatTemplate,
    Count,
    Device,
    Dtype,
    Engine,
    GradientCheckpointing,
    Memory,
    Overrides,
    Trackers,
)
from shiftgym.errors import ConfigError
from shiftgym.layout import SuiteFolder

if TYPE_CHECKING:
    from shiftgym.studies.run import RunOptions

study = App(name="study", help="Run, list, show and resume studies: a backbone, an init, branches, and their report.")


@study.command
def run(
    name: str | None = None,
    /,
    *,
    overrides: Overrides = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    gradient_checkpointing: GradientCheckpointing = None,
    chat_template: ChatTemplate = None,
    scale: str | None = None,
    dry_run: bool = False,
    device_memory: Memory = None,
    resume: Path | None = None,
    workers: Count | None = None,
    engine: Engine = None,
    address: Address = None,
    plain: bool = False,
    view: bool = False,
    track_to: Trackers = None,
    runs: Path = Path("runs"),
) -> int:
    """Run a study: train every branch, evaluate every checkpoint, write the report.

    Example: shiftgym study run points-text --set seeds=[0] --set budget.flops=1e12

    Parameters
    ----------
    name
        A shipped study or suite (see `shiftgym study list`), or the path of a file of either. Not with --resume.
    scale
        For a suite: a smaller size that its file defines, such as smoke.
    dry_run
        Only print the plan: memory, steps, time. A config.json will do for memory. Exit code 1 if a branch
        does not fit.
    device_memory
        For --dry-run: GB of a GPU that is not here, one for each branch or rank. By default what this machine has.
    resume
        Resume this run folder. Finished branches are not run again.
    workers
        Branches that run at the same time, one thread each. By default one a GPU or core; several can share a GPU.
    plain
        Print a log instead of a live table. Always so if the output is not a terminal.
    view
        Serve a page that follows the run while it goes on, and open it if there is a screen; see `shiftgym view`.
    runs
        The folder in which run folders are made.
    """
    from shiftgym.models.loading.template_file import template_overrides
    from shiftgym.placement import Placement
    from shiftgym.studies.config import load_study
    from shiftgym.studies.estimate import print_plan
    from shiftgym.studies.run import run_study
    from shiftgym.studies.suite import is_suite
    from shiftgym.studies.suite_run import run_suite
    from shiftgym.studies.track import track_overrides

    placement = Placement.chosen(
        device=device, dtype=dtype, attention=attention, gradient_checkpointing=gradient_checkpointing
    )
    overrides = [*(overrides or ()), *placement.overrides, *template_overrides(chat_template)]
    overrides += track_overrides(track_to)
    options: RunOptions = {"workers": workers, "plain": plain, "engine": engine, "address": address, "view": view}
    if resume is not None:
        if scale is not None:
            raise ConfigError(f"--scale is for new runs; {resume}: a suite resumes with the settings it began with")
        return _resume(resume, name, overrides, options)
    if name is None:
        raise ConfigError("study run: give the name of a study, as in `shiftgym study run points-text`")
    if is_suite(name):
        if dry_run:
            raise ConfigError(
                f"study run {name}: --dry-run is for one study; a suite has several (see study show {name})"
            )
        ended = run_suite(name, scale=scale, overrides=overrides, runs=runs, **options)
        return int(any(finished.failed for finished in ended))
    if scale is not None:
        raise ConfigError(f"study run {name}: --scale is for suites, and {name} is one study")
    chosen = load_study(name, overrides)
    if dry_run:
        if "ray" in (engine, chosen.engine):
            print("This is measured on this machine; nothing is asked of a cluster.")
        return 0 if print_plan(chosen, workers=workers, device_memory=device_memory) else 1
    if device_memory is not None:
        raise ConfigError("--device-memory is for --dry-run")
    finished = run_study(chosen, runs=runs, **options)
    return 1 if finished.failed else 0


@study.command(name="resume")
def resume_run(
    folder: Path,
    /,
    *,
    overrides: Annotated[list[str] | None, Parameter(name="--set")] = None,
    workers: Count | None = None,
    engine: Engine = None,
    address: Address = None,
    plain: bool = False,
    view: bool = False,
    track_to: Trackers = None,
) -> int:
    """Resume a run that was killed or interrupted, or that has branches that failed.

    Example: shiftgym study resume runs/points-text-20260101-120000

    Parameters
    ----------
    folder
        The run folder.
    overrides
        Change device, attention, gradient_checkpointing, ranks, a key of track, or tokens_per_pass of a branch, as
        branches.NAME.tokens_per_pass=2048.
    workers
        Branches that run at the same time, one thread each. By default one a GPU or core; several can share a GPU.
    plain
        Print a log instead of a live table.
    view
        Serve a page that follows the run while it goes on, and open it if there is a screen; see `shiftgym view`.
    """
    from shiftgym.studies.track import track_overrides

    overrides = [*(overrides or ()), *track_overrides(track_to)]
    options: RunOptions = {"workers": workers, "plain": plain, "engine": engine, "address": address, "view": view}
    return _resume(folder, None, overrides, options)


@study.command(name="list")
def list_studies() -> None:
    """List the shipped studies, and the suites of them.

    Example: shiftgym study list
    """
    from shiftgym.studies.config import shipped_studies, study_values
    from shiftgym.studies.suite import load_suite, shipped_suites

    for name in shipped_studies():
        # Not more than the title is read, since a study may need a package that is not installed.
        print(f"{name:26}{study_values(name)['title']}")
    for name in shipped_suites():
        suite = load_suite(name)
        print(f"{name:26}{suite.tables.title} ({len(suite.studies)} studies)")


@study.command
def show(name: str, /, *, overrides: Overrides = None) -> None:
    """Print a study with every default written out and what each key means, or the file of a suite.

    Example: shiftgym study show points-text > mine.toml

    Parameters
    ----------
    name
        A shipped study or suite, or the path of a file of either kind.
    """
    from shiftgym.studies.config import load_study
    from shiftgym.studies.keys import commented
    from shiftgym.studies.suite import is_suite, load_suite, suite_file

    if is_suite(name):
        if overrides:
            raise ConfigError(f"study show {name}: --set is for one study; a suite is shown as its file has it")
        load_suite(name)
        print(suite_file(name).read_text(encoding="utf-8"), end="")
    else:
        print(commented(load_study(name, overrides or ())), end="")


@study.command
def keys(table: str | None = None, /, *, markdown: bool = False) -> None:
    """Print the settings of a table: values, default and meaning. Without a table, list the tables.

    Example: shiftgym study keys evaluation

    Parameters
    ----------
    table
        Name of a table, such as evaluation, recipe.ppo or splits.points.
    markdown
        Print the page docs/settings.md, which has all tables.
    """
    from shiftgym.studies import keys as reference

    print(reference.markdown() if markdown else reference.print_keys(table), end="" if markdown else "\n")


def _resume(folder: Path, source: str | None, overrides: list[str], options: "RunOptions") -> int:
    """Go on with the study or the suite in a folder; the exit code."""
    from shiftgym.studies.run import resume_study
    from shiftgym.studies.suite_run import resume_suite

    if not SuiteFolder(folder).suite.is_file():
        return int(bool(resume_study(folder, source=source, overrides=overrides, **options).failed))
    if source:
        raise ConfigError(f"{folder}: a suite resumes with the studies it began with; give no {source}")
    return int(any(finished.failed for finished in resume_suite(folder, overrides=overrides, **options)))
