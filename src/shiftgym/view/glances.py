"""What a list of runs tells of each, read without opening any: a few small files, and the ends of some result files."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Generic, TypeVar

from shiftgym.following.branch import BranchReader
from shiftgym.following.declaration import ComparisonDeclaration, Declaration, read_declaration
from shiftgym.following.driver import Standing, is_alive, read_standing
from shiftgym.following.followed import ENDED
from shiftgym.following.lines import has_links, is_finite
from shiftgym.following.page import RunRow, Success
from shiftgym.layout import BranchFolder, RunFolder, branch_title
from shiftgym.view.faults import FAULTS, in_a_line

Made = TypeVar("Made")


class _Kept(Generic[Made]):
    """What was made of each run, until that changes which it was made from."""

    def __init__(self) -> None:
        self._of: dict[Path, tuple[object, Made]] = {}

    def get(self, path: Path, made_from: object, make: Callable[[], Made]) -> Made:
        if path not in self._of or self._of[path][0] != made_from:
            self._of[path] = (made_from, make())
        return self._of[path][1]

    def forget(self, but: Collection[Path]) -> None:
        for path in set(self._of).difference(but):
            del self._of[path]


class Glances:
    """Glances at runs. Of a run that nobody carries out nothing is read again, and of one that goes on no results until
    a further branch has ended.

    What takes time is done by `read`, in one thread, and meanwhile `rows` may be asked for what is known.
    """

    def __init__(self) -> None:
        self.closed = False
        """Set this to let `read` end."""
        self._declared, self._success = _Kept[Declaration](), _Kept[list[Success]]()
        self._rows: dict[Path, tuple[object, RunRow]] = {}
        """Folder of a run -> when its driver last wrote something, and its row."""

    def read(self, runs: Mapping[str, Path]) -> None:
        """Read what has changed, the newest runs first.

        Args:
            runs: name -> folder.
        """
        self._declared.forget(but=runs.values())
        self._success.forget(but=runs.values())
        for name, path in _newest_first(runs):
            if self.closed:
                return
            run = RunFolder(path)
            written = [_modified(file) for file in (run.study, run.environment, run.states, run.results)]
            before = self._rows.get(path)
            if before is None or before[0] != written or before[1].state == "running":
                self._rows[path] = (written, self._row(name, run))

    def rows(self, runs: Mapping[str, Path]) -> list[RunRow]:
        """A row for each run, the newest first."""
        return [
            self._rows[path][1] if path in self._rows else RunRow(name, name, "unread")
            for name, path in _newest_first(runs)
        ]

    def _row(self, name: str, run: RunFolder) -> RunRow:
        try:
            return self._told(name, run)
        except FAULTS as error:
            return RunRow(name, in_a_line(run.path, error), "broken")

    def _told(self, name: str, run: RunFolder) -> RunRow:
        declared = self._declared.get(run.path, _modified(run.study), lambda: read_declaration(run.path))
        every = _folders(declared)
        # What lies behind a link does not belong to the run.
        folders = {branch: [one for one in of if not has_links(one.path, run.path)] for branch, of in every.items()}
        ended = {branch: [folder for folder in of if folder.done.is_file()] for branch, of in folders.items()}
        done, count = (sum(map(len, of.values())) for of in (ended, every))
        last = {branch: ended[branch] for branch in _shown(declared)}
        if isinstance(declared, ComparisonDeclaration):
            last = {branch: checkpoints[-1:] for branch, checkpoints in last.items()}
        made_from = [(folder.path, _modified(folder.results)) for of in last.values() for folder in of]
        success = self._success.get(run.path, made_from, lambda: _last_success(declared, last))
        begun = any(folder.path.exists() for of in folders.values() for folder in of)
        began, standing = _modified(run.environment) if begun else 0.0, read_standing(run)
        return RunRow(
            name,
            str(declared.study["title"]),
            "running" if is_alive(run, standing) else _ended(standing, done == count, begun),
            datetime.fromtimestamp(began).isoformat(timespec="seconds") if began else None,
            done,
            count,
            [one for one in success if one.split == declared.compare.home],
            [one for one in success if one.split != declared.compare.home],
        )


def _newest_first(runs: Mapping[str, Path]) -> list[tuple[str, Path]]:
    return sorted(runs.items(), key=lambda run: _modified(RunFolder(run[1]).environment), reverse=True)


def _ended(standing: Standing, done: bool, begun: bool) -> str:
    """The state of a run that nobody carries out."""
    states = standing.states.values()
    if not done and "failed" in states and all(state in ENDED for state in states):
        return "failed"
    return "done" if done else "interrupted" if begun else "waiting"


def _shown(declared: Declaration) -> list[str]:
    """The branches whose success stands for the run."""
    compare = declared.compare
    return [one for one in (compare.supervised, compare.reinforced) if one] or [declared.branches[-1].name]


def _folders(declared: Declaration) -> dict[str, list[BranchFolder]]:
    """Branch -> a folder for each seed, or for each checkpoint of a candidate."""
    run = RunFolder(declared.folder)
    if isinstance(declared, ComparisonDeclaration):
        return {
            branch.name: [run.candidate(branch.name, at["step"]) for at in declared.checkpoints(branch.name)]
            for branch in declared.branches
        }
    return {
        branch.name: [run.branch(branch_title(branch.name, seed)) for seed in declared.seeds]
        for branch in declared.branches
    }


def _last_success(declared: Declaration, ended: Mapping[str, Sequence[BranchFolder]]) -> list[Success]:
    """What some branches have reached at home and on the shifted splits: the mean over the problems of the last
    checkpoint and over the seeds.

    Args:
        ended: branch -> folders of those of its seeds that have ended.
    """
    compare = declared.compare
    measures = {split: compare.primary(split) for split in (compare.home, *compare.shifted)}
    count = len(declared.splits) * len(declared.decodings) * declared.problems
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for branch, folders in ended.items():
        for row in itertools.chain.from_iterable(BranchReader(folder).last_rows(count) for folder in folders):
            value = row.get(measures.get(row["split"], "")) if row["decoding"] == compare.decoding else None
            if is_finite(value):
                found[row["split"], branch].append(value)
    return [
        Success(str(declared.named[branch].label), split, fmean(found[split, branch]))
        for split, branch in itertools.product(measures, ended)
        if (split, branch) in found
    ]


def _modified(path: Path) -> float:
    """When a file was written last; 0 if there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
