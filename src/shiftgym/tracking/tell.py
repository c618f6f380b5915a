"""`shiftgym track`: tells a tracker of a run, from its beginning to its end."""

import json
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.following.declaration import START, ComparisonDeclaration, Declaration, read_declaration
from shiftgym.following.driver import is_alive, read_standing
from shiftgym.layout import BranchFolder, RunFolder, SuiteFolder, branch_title, candidate_title
from shiftgym.reading import read_toml
from shiftgym.studies.config import unplaced
from shiftgym.tracking.base import Tracked, Tracker, Whole, load_tracker
from shiftgym.tracking.steps import Branch, Candidate, Source, Training
from shiftgym.tracking.summary import read_summary

POLL = 1.0
"""Seconds between two looks at a run that goes on."""


def tell(folder: Path, name: str, project: str | None = None) -> None:
    """Tell the tracker called `name` of the run in `folder`, and go on until the run is over.

    Args:
        project: by default what the run says.

    Raises:
        DataError, ConfigError: `folder` is no run folder, there is no such tracker, or its package is not installed.
    """
    whole, sources = read_run(folder, project)
    tracker = load_tracker(name, whole)
    print(f"{name.rpartition(':')[2]}: {tracker.where}", flush=True)
    _follow(tracker, sources, RunFolder(folder))
    tracker.close(read_summary(folder))


def read_run(folder: Path, project: str | None = None) -> tuple[Whole, list[Source]]:
    """What is tracked of a run folder.

    Raises:
        DataError, ConfigError: it is none.
    """
    if SuiteFolder(folder).suite.is_file():
        raise ConfigError(f"{folder}: this is a suite; give the folder of one of its studies, which lies in it")
    if BranchFolder(folder).training.is_file():
        return _training(folder, project)
    declared = read_declaration(folder)
    whole = _whole(folder, declared.study, project)
    if isinstance(declared, ComparisonDeclaration):
        return whole, list(_candidates(whole, declared))
    return whole, list(_branches(whole, declared))


def _follow(tracker: Tracker, sources: list[Source], run: RunFolder) -> None:
    begun: dict[str, Source] = {}
    left = list(sources)
    while True:
        # Asked first, so that nothing that was written until the end is missed.
        standing = read_standing(run)
        going = is_alive(run, standing)
        for source in list(left):
            # Of hundreds of branches few run at a time. One that waits may have begun before the run was resumed.
            if going and {standing.states.get(job) for job in source.jobs} == {"waiting"}:
                continue
            if _hand_over(tracker, source, begun):
                left.remove(source)
        if not going:
            break
        time.sleep(POLL)
    for source in begun.values():
        has_failed = any(standing.states.get(job) == "failed" for job in source.jobs)
        tracker.end(source.tracked, "failed" if has_failed else "interrupted")


def _hand_over(tracker: Tracker, source: Source, begun: dict[str, Source]) -> bool:
    """Tell what is new of one run; whether it has ended."""
    state, tracked = source.state(), source.tracked
    anew, points = source.new()
    # Where a log was cut back to nothing, its first points come later, and are not to be added to those of before.
    if anew if tracked.title in begun else points:
        tracker.begin(tracked)
        begun[tracked.title] = source
    if points:
        tracker.log(tracked, points)
    if state is not None and tracked.title in begun:
        tracker.end(begun.pop(tracked.title).tracked, state)
    return state is not None


def _training(folder: Path, project: str | None) -> tuple[Whole, list[Source]]:
    values = read_toml(BranchFolder(folder).training)
    whole = _whole(folder, values, project)
    kind = values["recipe"]["recipe"]
    tracked = Tracked(folder.resolve().name, kind, whole.config, _id(whole.id, kind))
    return whole, [Training(tracked, BranchFolder(folder), values["steps"])]


def _branches(whole: Whole, declared: Declaration) -> Iterator[Source]:
    shared = {key: value for key, value in whole.config.items() if key not in ("branches", "init", "seeds")}
    for branch in declared.branches:
        table = declared.study["init"] if branch.name == START else declared.study["branches"][branch.name]
        for seed in declared.seeds:
            title = branch_title(branch.name, seed)
            config = {**shared, "branch": branch.name, "seed": seed, **table}
            tracked = Tracked(title, branch.name, config, _id(whole.id, title))
            yield Branch(tracked, RunFolder(whole.folder).branch(title), declared)


def _candidates(whole: Whole, declared: ComparisonDeclaration) -> Iterator[Source]:
    shared = {key: value for key, value in whole.config.items() if key != "candidates"}
    for candidate in declared.branches:
        config = {**shared, **declared.study["candidates"][candidate.name]}
        tracked = Tracked(candidate.name, candidate.name, config, _id(whole.id, candidate.name))
        steps = [each["step"] for each in declared.checkpoints(candidate.name)]
        jobs = [candidate_title(candidate.label, step, several=len(steps) > 1) for step in steps]
        folders = [RunFolder(whole.folder).candidate(candidate.name, step) for step in steps]
        yield Candidate(tracked, jobs, folders, declared)


def _whole(folder: Path, values: Mapping[str, Any], project: str | None) -> Whole:
    at = folder.resolve()
    name = f"{at.parent.name}/{at.name}" if SuiteFolder(at.parent).suite.is_file() else at.name
    config = {key: value for key, value in values.items() if key != "track"}
    return Whole(folder, name, project or values.get("track", {}).get("project"), config, _id(name, _fixed(values)))


def _fixed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that nobody can change any more. Folders may be called alike, as when many studies that
    differ in one setting begin in the same second; these make the difference."""
    if "candidates" in values:
        # Candidates and problems may be added.
        return {key: values[key] for key in ("model", "data_seed", "seeds", "splits")}
    return unplaced({"branches": {}, **values})


def _id(*parts: Any) -> str:
    """A short name that follows from the parts."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
