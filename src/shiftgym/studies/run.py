"""Carrying out a study: a run folder, its branches in parallel, and a report at the end.

The files of the folder are described in `layout.py`.
"""

import itertools
import json
import platform
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from rich.console import Console

from shiftgym.engines.base import ENGINES, Call, Engine, Job, State, gpu_share, load_engine
from shiftgym.errors import ConfigError
from shiftgym.files import read_json, replacing, write_text
from shiftgym.following.logs import last_words
from shiftgym.gpus import in_words
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.models.loading.source import find_source
from shiftgym.placement import Placement
from shiftgym.studies.branch import run_branch
from shiftgym.studies.companions import Companions, page_companion
from shiftgym.studies.config import Study, load_study, what_is_computed
from shiftgym.studies.machines import forget_answers, get_ready, missing_model, versions
from shiftgym.studies.needs import Needs, branch_needs
from shiftgym.studies.own_process import IMPORTED
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.studies.progress import LiveDisplay, LogDisplay
from shiftgym.studies.run_folder import new_folder, only_one
from shiftgym.studies.stands import Stands
from shiftgym.studies.tries import Publisher, Tries

TOLD = 20
"""Most branches that stopped, and that failed, whose reason is printed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended."""

    folder: Path
    stopped: dict[str, str]
    """Branches that diverged and were stopped, with the reason. This is a result, not a failure."""
    failed: dict[str, str]
    """Branches without a result, with the error and the path of the log."""


class RunOptions(TypedDict, total=False):
    """How a study or a suite is carried out, which changes no result; see `run_study`."""

    workers: int | None
    plain: bool
    engine: str | None
    address: str | None
    view: bool


def run_study(
    study: Study,
    *,
    runs: Path,
    workers: int | None = None,
    plain: bool = False,
    engine: str | None = None,
    address: str | None = None,
    view: bool = False,
) -> Finished:
    """Carry out `study` in a new folder under `runs`, with progress on stdout and the result at the end.

    Args:
        workers: processes side by side, one thread each; by default one a GPU, or one a core on the CPU. More than
            there are GPUs share them.
        plain: a log instead of a live table; always so where stdout is not a terminal.
        engine: `local`, for this machine, or `ray`; by default what the study says.
        address: of a Ray cluster, as `HOST:PORT` or `auto`; by default what RAY_ADDRESS says, else a cluster that this
            machine belongs to, else a Ray on this machine alone.
        view: serve the page of the run while it goes on, and open it where there is a screen.

    Raises:
        ConfigError: there is no such device or cluster, a package is missing, or the model is not to be had.
    """
    study = on_engine(study, engine)
    with closing(connect(study, workers, address)) as where:
        _check_installed(study)
        find_source(study.model)
        return _carry_out(study, RunFolder(new_folder(runs, study.name)), where, plain, view)


def prepare(folder: Path, study: Study) -> None:
    """Make `folder` the run folder of `study`, with nothing done yet: `resume_study` carries it out."""
    write_text(RunFolder(folder).study, study.to_toml())


def resume_study(
    folder: Path,
    *,
    source: str | Path | None = None,
    overrides: Sequence[str] = (),
    workers: int | None = None,
    plain: bool = False,
    engine: str | None = None,
    address: str | None = None,
    view: bool = False,
) -> Finished:
    """Resume the run in `folder`. Finished branches are not touched.

    Args:
        source: the study that the caller expects, if any. It may differ in what changes no results: where branches
            run, the attention kernel, gradient checkpointing, tokens a pass. The run then goes on with that.
        overrides: changes of that study.
        engine: as for `run_study`; a run may go on with another engine than it began with.
        address: as for `run_study`.

    Raises:
        ConfigError: `folder` is no run, is being worked on, or belongs to another study than the one given, or this
            machine has no such device.
    """
    given = on_engine(recorded_study(folder, source=source, overrides=overrides), engine)
    _check_installed(given)
    if _loads([branch for branch in plan(given) if not _done(branch, folder)]):
        find_source(given.model)
    with closing(connect(given, workers, address)) as where:
        return _carry_out(given, RunFolder(folder), where, plain, view)


def recorded_study(folder: Path, *, source: str | Path | None = None, overrides: Sequence[str] = ()) -> Study:
    """The study of the run in `folder`, with the changes with which it is to go on. The arguments and errors are those
    of `resume_study`.
    """
    run = RunFolder(folder)
    if not run.study.is_file():
        raise ConfigError(f"{folder}: no run folder (it has no {run.study.name})")
    study = given = load_study(run.study)
    if source or overrides:
        given = load_study(source or run.study, overrides)
    recorded, asked = what_is_computed(study), what_is_computed(given)
    if asked != recorded:
        key, here, there = _first_difference(recorded, asked)
        raise ConfigError(f"{folder}: this run was made with {key} = {here!r}, not {there!r}; start a new run instead")
    return given


def on_engine(study: Study, name: str | None) -> Study:
    """The study with another engine, if one is named.

    Raises:
        ConfigError: there is no such engine.
    """
    if name is None:
        return study
    if name not in ENGINES:
        raise ConfigError(f"engine {name!r}: there is none of this name; known are {', '.join(ENGINES)}")
    return study.model_copy(update={"engine": name})


def _loads(todo: Sequence[PlannedBranch]) -> bool:
    """Whether any of these branches starts from the study's model."""
    return any(branch.start is None for branch in todo)


def _check_installed(study: Study) -> None:
    """ConfigError if a branch needs a package that is not there."""
    for table in (study.init, *study.branches.values()):
        table.settings.check_installed()


def connect(study: Study, workers: int | None, address: str | None) -> Engine:
    """Where the branches of a study run, to be closed at the end.

    Raises:
        ConfigError: there is no such device or cluster.
    """
    return load_engine(study.engine, workers=workers, imports=IMPORTED, placement=study.placement, address=address)


def placed(study: Study, where: Engine) -> Study:
    """The study as the jobs of this engine see it: each has the CPU, or one GPU."""
    return study.model_copy(update={"device": "cuda" if where.gpus else "cpu"})


def _carry_out(study: Study, run: RunFolder, where: Engine, plain: bool, view: bool) -> Finished:
    console = Console()
    folder = run.path
    console.print(f"Run folder: {folder}", highlight=False, soft_wrap=True)
    branches = plan(study)
    beside = [*(study.track.companions(folder) if study.track else []), *([page_companion(folder)] if view else [])]
    with Companions(beside, folder, console) as companions, only_one(run):
        prepare(folder, study)
        companions.start()
        done: dict[str, State] = {branch.title: "done" for branch in branches if _done(branch, folder)}
        tries = {branch.title: Tries(branch.folder(folder)) for branch in branches}
        for title in done:
            tries[title].put_away()
        todo = [branch for branch in branches if branch.title not in done]
        # This machine has found the model already.
        ready, machines = get_ready(placed(study, where), run, where, loads=where.elsewhere and _loads(todo))
        # Where nothing is left to do, it goes on saying where the branches ran.
        if todo or not run.environment.is_file():
            told = {"engine": study.engine} | environment(where, study.placement, machines)
            write_text(run.environment, json.dumps(told, indent=1))
        asked = _needs(ready, where)
        # A branch's process needs to know of no other branch, and there may be thousands, sent to each of thousands.
        sent = ready.model_copy(update={"branches": {}})
        jobs = [_job(sent, branch, folder, tries[branch.title], done, asked[branch.name]) for branch in todo]
        # Where branches had failed, the rows of the whole are there already and would hide those that now arrive.
        run.results.unlink(missing_ok=True)
        publisher, stands = Publisher(tries), Stands(run, tries)
        display = LogDisplay if plain or not console.is_terminal else LiveDisplay
        try:
            with display(study, branches, tries, console, in_words(where.gpus)) as shown:

                def watch(now: dict[str, State]) -> None:
                    publisher.publish(now)
                    stands.tell({**done, **now})
                    shown.show({**done, **now})
                    companions.look()

                states = where.run(jobs, watch)
        except KeyboardInterrupt:
            console.print(f"Interrupted. Resume with: shiftgym study resume {folder}", highlight=False, soft_wrap=True)
            raise
        finally:
            forget_answers(run)
            stands.write()
        with replacing(run.results) as results, results.open("wb") as out:
            for path in (branch.folder(folder).results for branch in branches):
                if path.is_file():
                    out.write(path.read_bytes())
        for note in where.notes:
            console.print(note, highlight=False, soft_wrap=True)
        ended = {branch.title: _done(branch, folder) for branch in branches}
        finished = Finished(
            folder,
            stopped={title: end["message"] for title, end in ended.items() if end and end["state"] == "stopped"},
            failed={b.title: _blame(b, states[b.title], folder) for b in branches if not ended[b.title]},
        )
        _tell(finished, console)
    return finished


def _needs(study: Study, where: Engine) -> dict[str, Needs]:
    """What a rank of each branch asks for, by the name of the branch."""
    # A run whose starts are done goes on without the model. Then nobody knows what memory it takes.
    known = where.elsewhere and not missing_model(study.model, weights=False)
    return branch_needs(study, gpus=gpu_share(where), memory=known)


def _job(study: Study, branch: PlannedBranch, run: Path, tries: Tries, done: dict[str, State], asked: Needs) -> Job:
    def begin() -> Call:
        folder = tries.begin()
        # Absolute, since another machine may have another working directory.
        return Call(run_branch, (study, branch, run.absolute(), BranchFolder(folder.path.absolute())), folder.log)

    return Job(
        branch.title,
        begin,
        None if branch.start in done else branch.start,
        cpus=asked.cpus,
        gpus=asked.gpus,
        memory=asked.memory,
        ranks=branch.ranks,
        restarts=study.restarts,
    )


def _done(branch: PlannedBranch, run: Path) -> dict[str, Any] | None:
    done = branch.folder(run).done
    return read_json(done) if done.is_file() else None


def _blame(branch: PlannedBranch, state: State, run: Path) -> str:
    if state == "skipped":
        return f"not started, since {branch.start} failed"
    return last_words(branch.folder(run).log)


def _tell(finished: Finished, console: Console) -> None:
    """Print the results, the path of the report, and every branch that was stopped or failed."""
    from shiftgym.reports.analysis import Analysis
    from shiftgym.reports.load import load_runs
    from shiftgym.reports.page import write_report
    from shiftgym.reports.terminal import summary

    if RunFolder(finished.folder).results.stat().st_size:
        # Read once: the rows of thousands of branches take a while.
        analysis = Analysis(load_runs([finished.folder]))
        report = write_report(analysis)
        console.print(summary(analysis), highlight=False)
        console.print(f"Report: {report}", highlight=False, soft_wrap=True)
    for ended, branches in (("stopped", finished.stopped), ("failed", finished.failed)):
        for title, message in itertools.islice(branches.items(), TOLD):
            console.print(f"{title} {ended}: {message}", highlight=False, soft_wrap=True)
        if len(branches) > TOLD:
            console.print(f"and {len(branches) - TOLD} more branches {ended}", highlight=False)
    if finished.failed:
        console.print(f"Try again with: shiftgym study resume {finished.folder}", highlight=False, soft_wrap=True)


def environment(where: Engine, placement: Placement, machines: list[dict[str, Any]]) -> dict[str, Any]:
    """Versions and machines, and on what models run there, as `environment.json` records them."""
    git = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "python": platform.python_version(),
        "packages": versions(),
        "placement": placement.model_dump() | {"device": "cuda" if where.gpus else "cpu"},
        "git_commit": git.stdout.strip() or None,
        "workers": where.workers,
        "threads_a_worker": where.threads,
        "started": datetime.now().isoformat(timespec="seconds"),
        "machines": machines,
    }


def _first_difference(recorded: dict[str, Any], given: dict[str, Any], *path: str) -> tuple[str, Any, Any]:
    for key in [*recorded, *given]:
        here, there = recorded.get(key), given.get(key)
        if isinstance(here, dict) and isinstance(there, dict) and here != there:
            return _first_difference(here, there, *path, key)
        if here != there:
            return ".".join([*path, key]), here, there
    raise ValueError("the same")
