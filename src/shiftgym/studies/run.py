"""Carrying out a study: a run folder, its branches side by side, and a report at the end.

runs/<study>-<yyyymmdd-hhmmss>/
    study.toml          the study with every default written out
    environment.json    versions, machine, git commit
    branches/           see `branch.py`
    results.jsonl       the rows of all branches, in the order of the plan
    report.html         and figures/
"""

import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from shiftgym.engines.local import ONE_THREAD, Job, State, cores, run_jobs
from shiftgym.errors import ConfigError
from shiftgym.studies.branch import run_branch, write_text
from shiftgym.studies.config import Study, load_study
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.studies.progress import LiveDisplay, LogDisplay

RECORDED = ("shiftgym", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "pydantic")
"""Packages whose version may change a result."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended."""

    folder: Path
    stopped: dict[str, str]
    """Branches that were stopped because only garbage would have followed, with the reason. A result, not a fault."""
    failed: dict[str, str]
    """Branches without a result, with what to look at."""


def run_study(study: Study, *, runs: Path, workers: int | None = None, plain: bool = False) -> Finished:
    """Carry out `study` in a new folder under `runs`, with progress on stdout and the result at the end.

    Args:
        workers: processes side by side, one thread each; by default as many as there are cores.
        plain: a log instead of a live table; always so where stdout is no terminal.
    """
    return run_in(new_folder(runs, study.name), study, workers=workers, plain=plain)


def run_in(folder: Path, study: Study, *, workers: int | None = None, plain: bool = False) -> Finished:
    """Carry out `study` in this folder, or go on with it there.

    Raises:
        ConfigError: the folder holds another study, or is being worked on.
    """
    file = folder / "study.toml"
    if file.is_file():
        _check_same(folder, load_study(file), study)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(file, study.to_toml())
    return _carry_out(study, folder, workers, plain)


def resume_study(
    folder: Path,
    *,
    source: str | Path | None = None,
    overrides: Sequence[str] = (),
    workers: int | None = None,
    plain: bool = False,
) -> Finished:
    """Go on with the run in `folder` where it stood; finished branches are not touched.

    Args:
        source, overrides: the study that the caller takes the run for, if it says so.

    Raises:
        ConfigError: `folder` is no run, is being worked on, or belongs to another study than the one given.
    """
    file = folder / "study.toml"
    if not file.is_file():
        raise ConfigError(f"{folder}: no run folder (it has no study.toml)")
    study = load_study(file)
    _check_same(folder, study, load_study(source or file, overrides))
    return _carry_out(study, folder, workers, plain)


def _check_same(folder: Path, study: Study, given: Study) -> None:
    if given != study:
        key, here, there = _first_difference(study.model_dump(), given.model_dump())
        raise ConfigError(f"{folder}: this run was made with {key} = {here!r}, not {there!r}; start a new run instead")


def _carry_out(study: Study, folder: Path, workers: int | None, plain: bool) -> Finished:
    console = Console()
    console.print(f"Run folder: {folder}", highlight=False, soft_wrap=True)
    branches = plan(study)
    workers = workers or cores()
    with _only_one(folder):
        write_text(folder / "environment.json", json.dumps(_environment(workers), indent=1))
        done: dict[str, State] = {branch.title: "done" for branch in branches if _done(branch, folder)}
        jobs = [_job(study, branch, folder, done) for branch in branches if branch.title not in done]
        display = LogDisplay if plain or not console.is_terminal else LiveDisplay
        try:
            with display(study, branches, folder, console) as shown:
                states = run_jobs(jobs, workers=workers, watch=lambda now: shown.show({**done, **now}))
        except KeyboardInterrupt:
            console.print(f"Interrupted. Go on with: shiftgym study resume {folder}", highlight=False, soft_wrap=True)
            raise
        rows = (branch.folder(folder) / "results.jsonl" for branch in branches)
        write_text(folder / "results.jsonl", "".join(path.read_text() for path in rows if path.is_file()))
    finished = Finished(
        folder,
        stopped={b.title: end["message"] for b in branches if (end := _done(b, folder)) and end["state"] == "stopped"},
        failed={b.title: _blame(b, states[b.title], folder) for b in branches if not _done(b, folder)},
    )
    _tell(finished, console)
    return finished


def _job(study: Study, branch: PlannedBranch, folder: Path, done: dict[str, State]) -> Job:
    needs = None if branch.start in done else branch.start
    return Job(branch.title, run_branch, (study, branch, folder), branch.folder(folder) / "log.txt", needs)


def _done(branch: PlannedBranch, run: Path) -> dict[str, Any] | None:
    path = branch.folder(run) / "done.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _blame(branch: PlannedBranch, state: State, run: Path) -> str:
    if state == "skipped":
        return f"not started, since {branch.start} failed"
    log = branch.folder(run) / "log.txt"
    lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
    last = next((line for line in reversed(lines) if line.strip()), "the process was killed")
    return f"{last.strip()} (all of it: {log})"


def _tell(finished: Finished, console: Console) -> None:
    """The table of results, the place of the report, and every branch that is missing from them."""
    from shiftgym.reports.page import build_report, result_table

    if (finished.folder / "results.jsonl").stat().st_size:
        report = build_report(finished.folder)
        console.print(result_table(finished.folder), highlight=False)
        console.print(f"Report: {report}", highlight=False, soft_wrap=True)
    for title, message in finished.stopped.items():
        console.print(f"{title} stopped: {message}", highlight=False, soft_wrap=True)
    for title, message in finished.failed.items():
        console.print(f"{title} failed: {message}", highlight=False, soft_wrap=True)
    if finished.failed:
        console.print(f"Try again with: shiftgym study resume {finished.folder}", highlight=False, soft_wrap=True)


def new_folder(runs: Path, name: str) -> Path:
    """A folder of that name and the present second, which is new."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = runs / f"{name}-{stamp}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise ConfigError(f"{runs}: a hundred runs of {name} were started in this second")


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two processes that work on one run would spoil it. The lock goes when its process does, however it ends."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another process is working on this run") from None
        yield


def _environment(workers: int) -> dict[str, Any]:
    git = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in RECORDED},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "git_commit": git.stdout.strip() or None,
        "workers": workers,
        "threads_a_worker": int(ONE_THREAD["OMP_NUM_THREADS"]),
        "started": datetime.now().isoformat(timespec="seconds"),
    }


def _first_difference(recorded: dict[str, Any], given: dict[str, Any], *path: str) -> tuple[str, Any, Any]:
    for key in [*recorded, *given]:
        here, there = recorded.get(key), given.get(key)
        if isinstance(here, dict) and isinstance(there, dict) and here != there:
            return _first_difference(here, there, *path, key)
        if here != there:
            return ".".join([*path, key]), here, there
    raise ValueError("the same")
