"""What the driver tells those who follow its run: how every branch stands, and that it is still there."""

import json
import time
from collections.abc import Mapping
from datetime import datetime

from shiftgym.engines.base import State
from shiftgym.errors import DataError
from shiftgym.files import write_text
from shiftgym.following.driver import SIGN, Standing, read_standing, this_machine
from shiftgym.layout import RunFolder
from shiftgym.studies.tries import Tries

SOONEST = 1.0
"""Seconds between two writings at least."""


class Stands:
    """Writes `states.json` of a run. What a resumed run spent before is counted on.

    Args:
        tries: by the title of each branch; a comparison has none.
    """

    def __init__(self, run: RunFolder, tries: Mapping[str, Tries] | None = None) -> None:
        self._run, self._tries = run, tries or {}
        try:
            before = read_standing(run)
        except DataError:
            before = Standing()
        self._began = before.began or datetime.now().astimezone().isoformat(timespec="seconds")
        self._spent, self._seconds = before.spent, dict(before.seconds)
        self._earlier = dict(before.tries)
        self._states: dict[str, State] = {}
        self._changed = False
        self._told = time.monotonic()
        self._written = -SOONEST

    def tell(self, states: Mapping[str, State]) -> None:
        """To be called with the states of all branches whenever one has changed, and about twice a second."""
        now = time.monotonic()
        passed, self._told = now - self._told, now
        self._spent += passed
        for title, state in self._states.items():
            if state == "running":
                self._seconds[title] = self._seconds.get(title, 0.0) + passed
        if states != self._states:
            self._states, self._changed = dict(states), True
        if now - self._written >= (SOONEST if self._changed else SIGN):
            self.write()

    def write(self) -> None:
        """Write what was told last."""
        began = {title: self._earlier.get(title, 0) + tries.begun for title, tries in self._tries.items()}
        standing = Standing(
            states=self._states,
            seconds={title: round(seconds, 1) for title, seconds in self._seconds.items()},
            tries={title: count for title, count in began.items() if count},
            began=self._began,
            spent=round(self._spent, 1),
            machine=this_machine(),
        )
        write_text(self._run.states, json.dumps(standing.record()))
        self._changed, self._written = False, time.monotonic()
