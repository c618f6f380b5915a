"""How far every branch is from the start by now: the paired differences by which a report judges."""

import time

import numpy as np
from numpy.typing import NDArray

from shiftgym.evaluation.statistics import difference, only_value
from shiftgym.following.answers import Answers, Key
from shiftgym.following.board import Board
from shiftgym.following.declaration import START, Declaration

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(seeds, problems) of a branch and of the start."""


class Changes:
    """Keeps the change of every branch from the start, at home and under each shift, on the board of a run."""

    def __init__(self, declared: Declaration, answers: Answers, board: Board) -> None:
        self._declared, self._answers, self._board = declared, answers, board
        splits = (declared.compare.home, *declared.compare.shifted)
        self._asked = {split: declared.primary(split)[:2] for split in splits}
        self._touched: dict[Key, None] = {}
        self._known: dict[Key, Pair] = {}
        """The answers of which the change is on the board."""

    def touch(self, key: Key) -> None:
        """Say that a line has changed. Where it is that of the start, the changes of all branches may be others."""
        if self._asked.get(key.split) == (key.decoding, key.measure):
            names = [branch.name for branch in self._declared.branches] if key.branch == START else [key.branch]
            self._touched |= {key._replace(branch=name): None for name in names if name != START}

    def find(self, until: float) -> bool:
        """Bring the board up to date.

        Args:
            until: when to stop, as `time.monotonic` counts.

        Returns:
            Whether there is more to be done.
        """
        while self._touched and time.monotonic() < until:
            key, _ = self._touched.popitem()
            self._put(key)
        return bool(self._touched)

    def _put(self, key: Key) -> None:
        own, start = self._answers.end(key), self._answers.end(key._replace(branch=START))
        seeds = sorted(own.keys() & start.keys())
        if not seeds:
            self._known.pop(key, None)
            self._board.put("changes", str(key), None)
            return
        a, b = (np.stack([of[seed] for seed in seeds]) for of in (own, start))
        known = self._known.get(key)
        if known and all(np.array_equal(was, now, equal_nan=True) for was, now in zip(known, (a, b), strict=True)):
            return
        self._known[key] = (a, b)
        found = difference(a, b, seed=int(self._declared.study["data_seed"]))
        interval = {"value": found.value, "low": found.low, "high": found.high}
        self._board.put(
            "changes", str(key), {**key._asdict(), **interval, "seeds": len(seeds), "level": only_value(a, b)}
        )
