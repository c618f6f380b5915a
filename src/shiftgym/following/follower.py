"""Follows a run folder while it is written, and keeps a board of what it shows. Nothing is written there.

    follower = Follower(folder)
    while True:
        while follower.look():
            pass
        ...  # follower.board.since(version)
        time.sleep(0.5)

What is needed first is read first: how every branch stands and its last success, from the ends of files; then all rows,
those of running branches before others; then intervals, the newest ones of the primary measures first, and changes from
the start.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from shiftgym.following.answers import Answers
from shiftgym.following.board import Board
from shiftgym.following.candidate import FollowedCandidate
from shiftgym.following.changes import Changes
from shiftgym.following.curves import ordered
from shiftgym.following.declaration import BranchInfo, ComparisonDeclaration, Declaration, read_declaration
from shiftgym.following.driver import SIGN, Standing, is_alive, read_standing
from shiftgym.following.episodes import NewestEpisodes, problem
from shiftgym.following.followed import ENDED, Followed
from shiftgym.following.head import head
from shiftgym.following.left import Pace, run_left, time_left
from shiftgym.following.lines import is_finite, read_object
from shiftgym.layout import RunFolder

WORK = 0.25
"""Seconds of work of one look."""

CALM = 2.0
"""Seconds after which the curve of a branch is shown anew at the earliest, since it is sent as a whole."""


class Follower:
    """Follows the run in `folder`.

    Args:
        folder: of a study or of a comparison, which need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.board = Board()
        """What there is to see. Its keys and values are described in docs/architecture.md."""
        self._run = RunFolder(folder)
        self._version: tuple[int, int, int] | None = None
        self._following: _Following | None = None

    def look(self, work: float = WORK) -> bool:
        """Read what is new, and bring the board up to date.

        Args:
            work: about so many seconds of work are done at most.

        Returns:
            Whether more is left to be done at once.

        Raises:
            DataError: the folder is no run folder, or its `study.toml` cannot be read as what it should be.
        """
        return self._followed().look(work)

    def problem(self, split: str, index: int) -> dict[str, Any]:
        """The value of a problem in section `problems`; see `episodes.problem`.

        Raises:
            DataError: the run evaluates no such problem, or as for `look`.
        """
        # It may be called from another thread than `look`.
        following = self._following
        return problem(following.declared if following else read_declaration(self._run.path), split, index)

    def _followed(self) -> "_Following":
        """The run as its `study.toml` declares it now: a comparison may be given further candidates."""
        path = self._run.study
        status = path.stat() if path.is_file() else None
        version = (status.st_ino, status.st_size, status.st_mtime_ns) if status else None
        if self._following is None or version != self._version:
            declared = read_declaration(self._run.path)
            if self._following is None or declared.study != self._following.declared.study:
                self.board.clear()
                self._following = _Following(declared, self.board)
            self._version = version
        return self._following


class _Following:
    """A run under one declaration."""

    def __init__(self, declared: Declaration, board: Board) -> None:
        self.declared, self._board = declared, board
        self._run = RunFolder(declared.folder)
        self._answers = Answers(declared)
        self._changes = Changes(declared, self._answers, board)
        self._episodes = NewestEpisodes(declared, board)
        start, *others = declared.branches
        # In the order in which they are begun.
        pairs = [(start, seed) for seed in declared.seeds]
        pairs += [(info, seed) for seed in declared.seeds for info in others]
        self._branches = [_follow(declared, info, seed) for info, seed in pairs]
        # All seeds of a branch are read one after the other, since its line is shown once all of them are.
        order = {info.name: at for at, info in enumerate(declared.branches)}
        self._to_read = sorted(self._branches, key=lambda branch: order[branch.info.name])
        self._to_show = self._branches
        """Branches of which episodes may come. Those of one that has ended are taken when all branches are read."""
        self._columns: dict[str, None] = {}
        self._fresh: set[str] = set()
        """Titles of branches that have steps which are not shown yet."""
        self._shown: dict[str, float] = {}
        """Title -> when its curve was shown last."""
        self._had_turn: set[str] = set()
        """Titles of branches that were read since all had their turn."""
        self._put_head()

    def look(self, work: float) -> bool:
        """See `Follower.look`."""
        standing = read_standing(self._run)
        alive = is_alive(self._run, standing)
        seen = [branch for branch in self._branches if not branch.is_over]
        for branch in seen:
            with branch.readable():
                branch.stand(standing, alive)
        # However long that took: where it takes longer than `work`, something is to be read at every look even so.
        until = time.monotonic() + work
        for branch in seen:
            with branch.readable():
                if not branch.is_open and time.monotonic() < until:
                    branch.open()
        unread = self._read(seen, until)
        if not unread:
            self._episodes.look(one for branch in self._to_show for one in branch.episodes)
            self._to_show = [branch for branch in self._to_show if not branch.is_over]
        more = bool(unread) or self._answers.find_limits(until)
        names = {branch.info.name for branch in unread}
        for key in [key for key in self._answers.changed if key.branch not in names]:
            del self._answers.changed[key]
            self._board.put("success", str(key), self._answers.line(key))
            self._changes.touch(key)
        if not unread:
            more = self._changes.find(until) or more
        self._put_curves()
        self._put_branches(standing, alive, seen)
        return more

    def _read(self, seen: Iterable[Followed], until: float) -> list[Followed]:
        """Read what is new; the branches of which more is to be read at once."""
        wanted = {branch.title for branch in seen}
        queue = [branch for branch in self._to_read if branch.title in wanted]
        if self._had_turn.issuperset(wanted):
            self._had_turn.clear()
        # Where there is no time for all, the others come first at the next look.
        queue.sort(key=lambda branch: (branch.title in self._had_turn, branch.state != "running"))
        for branch in queue:
            before = branch.curve, branch.curve.steps
            with branch.readable():
                branch.read(self._answers)
                while branch.more and time.monotonic() < until:
                    branch.read(self._answers)
            if (branch.curve, branch.curve.steps) != before:
                self._fresh.add(branch.title)
            self._had_turn.add(branch.title)
            if time.monotonic() >= until:
                break
        return [branch for branch in queue if branch.more]

    def _put_curves(self) -> None:
        now = time.monotonic()
        for branch in self._branches:
            calm = self._shown.get(branch.title, -CALM) + CALM
            if branch.title not in self._fresh or branch.more or now < calm:
                continue
            self._fresh.discard(branch.title)
            self._shown[branch.title] = now
            columns = branch.curve.columns()
            self._board.put("curves", branch.title, {"columns": columns} if columns else None)
            if not columns.keys() <= self._columns.keys():
                self._columns |= dict.fromkeys(columns)
                self._put_head()

    def _put_branches(self, standing: Standing, alive: bool, seen: Iterable[Followed]) -> None:
        """How the run and its branches stand."""
        paces = [self._pace(branch, standing) for branch in self._branches]
        left = time_left(paces) if alive else [None] * len(paces)
        of = dict(zip((branch.title for branch in self._branches), left, strict=True))
        for branch in seen:
            if branch.is_open:
                rest = None if branch.state in ENDED else _whole(of[branch.title])
                self._board.put("branches", branch.title, branch.value(standing, rest))
            self._board.put("logs", branch.title, branch.log or None)
        counts = Counter(branch.state for branch in self._branches)
        over = all(branch.state in ENDED for branch in self._branches)
        begun = any(branch.state != "waiting" for branch in self._branches)
        recorded = read_object(self._run.environment) or {}
        began, workers = standing.began or recorded.get("started"), recorded.get("workers")
        self._board.put(
            "run",
            "state",
            {
                "state": "done" if over else "running" if alive else "interrupted" if begun else "waiting",
                "counts": dict(counts),
                "began": began,
                "seconds": standing.spent or _since(began, alive),
                "left": _whole(run_left(paces, left, workers if isinstance(workers, int) else 1)) if alive else None,
            },
        )

    def _pace(self, branch: Followed, standing: Standing) -> Pace:
        name, seed = branch.info.name, branch.seed
        return Pace(
            name=name,
            state=branch.state,
            fraction=branch.fraction,
            seconds=branch.seconds(standing),
            training=branch.training,
            evaluated=self._answers.checkpoints(name, seed),
            checkpoints=branch.checkpoints,
            start=name == self.declared.branches[0].name,
        )

    def _put_head(self) -> None:
        self._board.put("run", "head", head(self.declared, ordered(self._columns)))


def _follow(declared: Declaration, info: BranchInfo, seed: int) -> Followed:
    if isinstance(declared, ComparisonDeclaration):
        return FollowedCandidate(declared, info, seed)
    return Followed(declared, info, seed)


def _whole(seconds: float | None) -> int | None:
    """An estimate in whole seconds, which changes less often."""
    return None if seconds is None or not is_finite(seconds) else round(seconds)


def _since(began: Any, alive: bool) -> float | None:
    """Seconds for which a run has gone on that tells no more than when it began, counted on as often as a driver would
    tell; None if it has ended."""
    if not alive:
        return None
    try:
        return (time.time() - datetime.fromisoformat(began).timestamp()) // SIGN * SIGN
    except (TypeError, ValueError):
        return None


def whole_board(folder: Path) -> Board:
    """The board of a run as it stands now, read in one go.

    Raises:
        DataError: as for `Follower.look`.
    """
    follower = Follower(folder)
    while follower.look(math.inf):
        pass
    return follower.board
