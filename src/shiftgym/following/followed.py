"""One branch of a run that is followed, with one seed: how it stands, its training curve, and what it has answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from shiftgym.errors import DataError
from shiftgym.following.answers import Answers
from shiftgym.following.branch import BranchReader
from shiftgym.following.curves import Curve
from shiftgym.following.declaration import START, BranchInfo, Declaration
from shiftgym.following.driver import Standing
from shiftgym.following.lines import has_links, is_finite, tail
from shiftgym.following.logs import cause_in
from shiftgym.layout import RunFolder, branch_title

ENDED = ("done", "stopped", "failed", "skipped")
"""States in which nothing is left to do."""

LOG = 8000
"""Bytes of a log that are shown."""


class Followed:
    """A branch of a study.

    Args:
        declared: what the run declares.
        info: the branch.
        seed: its seed.
    """

    def __init__(self, declared: Declaration, info: BranchInfo, seed: int) -> None:
        self.title = branch_title(info.name, seed)
        self.info, self.seed = info, seed
        self.curve = Curve()
        self.more = True
        """Whether there is more to be read at once."""
        self.state = "waiting"
        self.training = 0.0
        """Seconds of its training steps, without evaluations."""
        self.log = ""
        """Of one that failed: the last lines that its process printed."""
        self._declared = declared
        self._reader = BranchReader(RunFolder(declared.folder).branch(self.title))
        self._ended: dict[str, Any] = {}
        self._problem = ""
        self._is_link = False
        self._step: dict[str, Any] = {}
        self._last: dict[str, float] | None = None

    @property
    def is_over(self) -> bool:
        """Whether all of it was read, and nothing will come."""
        return bool(self._ended) and not self.more

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Tell of a file that may not be read, and leave it at that."""
        try:
            yield
        except OSError as error:
            self.more, self._last = False, self._last or {}
            self._problem = f"{error.filename}: {error.strerror}"

    def open(self) -> None:
        """Read where it stands from the ends of its files, before all of them are read."""
        self._last = {}
        if self._is_link:
            return
        self._step = self._reader.last_step()
        declared = self._declared
        rows = self._reader.last_rows(len(declared.splits) * len(declared.decodings) * declared.problems)
        for split in declared.splits:
            decoding, measure, _ = declared.primary(split)
            of = [row.get(measure) for row in rows if (row["split"], row["decoding"]) == (split, decoding)]
            if known := [value for value in of if is_finite(value)]:
                self._last[split] = float(np.mean(known))

    @property
    def is_open(self) -> bool:
        """Whether its stand is known."""
        return self._last is not None

    def stand(self, standing: Standing, alive: bool) -> None:
        """Find out its state."""
        if self._ended:
            return
        self._is_link = has_links(self._reader.published.path, self._declared.folder)
        if self._is_link:
            self._problem = "its folder is a link, which is not followed"
            return
        # Asked first: with its end everything is published, and nothing is looked for in a try that is about to go.
        self._ended = self._end()
        self._reader.find_try()
        before, said = self.state, standing.states.get(self.title)
        if self._ended:
            self.state = self._ended["state"]
            # What came last is still to be read, however long that has to wait for its turn.
            self.more = True
        elif said in ("failed", "skipped") or (alive and said):
            self.state = str(said)
        elif not standing.states and self._reader.failed():
            self.state = "failed"
        elif self._reader.has_begun():
            self.state = "running" if alive else "interrupted"
        else:
            self.state = "waiting"
        if self.state != before:
            path = self._reader.newest(lambda folder: folder.log)
            self.log = tail(path, LOG) if self.state == "failed" else ""

    def _end(self) -> dict[str, Any]:
        """What it has written of its end; empty as long as that is to come."""
        try:
            found = self._reader.done() or {}
        except DataError as error:
            self._problem = str(error)
            return {}
        if found and found.get("state") not in ("done", "stopped"):
            self._problem = f"{self._reader.published.done}: says neither done nor stopped"
            return {}
        return found

    def read(self, answers: Answers) -> None:
        """Read what is new, up to a block of each file."""
        if self._is_link:
            self.more, self._last = False, {}
            return
        steps = self._reader.new_steps()
        if steps.anew:
            self.curve, self.training = Curve(), 0.0
        for step in steps.records:
            self.curve.add(step)
            self.training += step["collect"] + step["learn"]
        rows = self._reader.new_rows()
        if rows.anew:
            answers.drop(self.info.name, self.seed)
        answers.add(self.info.name, self.seed, rows.records)
        self.more = steps.more or rows.more
        if not self.more:
            self._step = dict(self.curve.last)
            self._last = answers.last(self.info.name, self.seed)

    @property
    def fraction(self) -> float:
        """How much of its compute is done, from 0 to 1."""
        if self.state == "done":
            return 1.0
        if not self._step:
            return 0.0
        if self.info.name == START:
            done, whole = self._step["step"], self._declared.study["init"]["steps"]
        else:
            done, whole = self._step.get(self._declared.equal, 0), self._declared.study["budget"]["flops"]
        return min(1.0, float(done / whole))

    @property
    def checkpoints(self) -> int:
        """How many it will have evaluated at its end."""
        return 1 if self.info.name == START else len(self._declared.study["budget"]["checkpoints"])

    def seconds(self, standing: Standing) -> float:
        """For how long it has run: its processes, or where nobody has told, its steps alone."""
        return standing.seconds.get(self.title, self.training)

    def value(self, standing: Standing, left: float | None) -> dict[str, Any]:
        """The entry of the branch in section `branches`."""
        return {
            "branch": self.info.name,
            "seed": self.seed,
            "state": self.state,
            "step": self._step.get("step", 0),
            "fraction": self.fraction,
            "flops": self._step.get("flops", 0),
            "flops_paper": self._step.get("flops_paper", 0),
            "seconds": round(self.seconds(standing), 1),
            "left": left,
            "tries": max(standing.tries.get(self.title, 0), self._reader.tries),
            "message": self.message,
            "log": self.state == "failed",
            "last": self._last,
        }

    @property
    def message(self) -> str | None:
        """Why it stopped or failed, or what of it cannot be read."""
        if self.state == "failed":
            return cause_in(self.log)
        return str(self._ended.get("message", "")) or self._problem or self._reader.problem or None

    @property
    def episodes(self) -> Iterator[tuple[Path, Path]]:
        """Folders, and where the newest episodes of each lie, if there are any."""
        if not self._is_link:
            yield self._reader.published.path, self._reader.newest(lambda folder: folder.evaluation_episodes)
