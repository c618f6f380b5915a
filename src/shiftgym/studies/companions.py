"""Processes beside a run: the trackers that hear of it, the page that shows it.

A companion costs a run nothing but a warning. It is a process of its own, which reads the run folder, so it may fail,
hang, or need a package or a network that is not there. Each has a pipe from the process that carries out the run as its
standard input. When the pipe is closed, because the run is over or that process is gone, it has some seconds left
(`cli/companion.py`). In a session of its own it hears no interruption from the terminal.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rich.console import Console

from shiftgym.following.lines import opened, tail
from shiftgym.following.logs import cause_in
from shiftgym.layout import companion_log

MAIN = "shiftgym.cli.companion"
"""The module that runs a command as a companion."""

STOPPED = (-signal.SIGTERM, -signal.SIGKILL)
"""Exit codes of one that was ended when its seconds were over."""

QUIET = 1.0
"""Seconds that a run waits at its end without a word."""

SLACK = 3.0
"""Seconds that a companion gets to end by itself, beyond those that it was given."""

HEAD = 65536
"""Bytes of a log in which its line for the user is looked for, and its error."""

LONGEST = 500
"""Characters of an error that the user is told."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A command that is to run beside a run."""

    name: str
    """What it is called. The first line that it prints as `NAME: ...` is repeated in the output of the run."""
    command: tuple[str, ...]
    """Arguments of `shiftgym`, with the run folder among them."""
    later: str
    """What the user is told where it failed, such as a command that does the same later."""
    patience: float
    """Seconds that it has left once the run is over."""
    endless: bool = False
    """Whether it goes on until it is told to end."""

    @property
    def well(self) -> tuple[int, ...]:
        """The exit codes of one that has not failed."""
        return (0, -signal.SIGTERM) if self.endless else (0,)


def page_companion(folder: Path) -> Companion:
    """The page of a run or of a suite: `--view`. It stays for long enough to show how the run ended."""
    return Companion("page", ("view", str(folder), "--open"), f"See it with: shiftgym view {folder}", 1.0, endless=True)


@dataclass(slots=True)
class _Started:
    companion: Companion
    process: subprocess.Popen[bytes]
    log: Path
    introduced: bool = False
    """Whether its line for the user was repeated."""
    warned: bool = False


@dataclass
class Companions:
    """The companions of one run. At the end of the `with` block they have ended.

    Args:
        wanted: what is to be started.
        folder: of the run.
        console: where the user is told of them.
    """

    wanted: Sequence[Companion]
    folder: Path
    console: Console
    _started: list[_Started] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start them, now that the run folder is there."""
        for companion in self.wanted:
            log = companion_log(self.folder, companion.name)
            command = [sys.executable, "-m", MAIN, str(companion.patience), *companion.command]
            try:
                log.parent.mkdir(exist_ok=True)
                with log.open("wb") as printed:
                    # One thread, since the cores are there for the run.
                    process = subprocess.Popen(
                        command,
                        stdin=subprocess.PIPE,
                        stdout=printed,
                        stderr=subprocess.STDOUT,
                        env={"OMP_NUM_THREADS": "1"} | os.environ,
                        start_new_session=True,
                    )
            except OSError as error:
                self._warn(companion, f"cannot be started ({error.strerror})", log)
                continue
            self._started.append(_Started(companion, process, log))

    def look(self) -> None:
        """Tell the user what is new of them. To be called about twice a second."""
        for one in self._started:
            # A log that cannot be read now is read later, or never.
            with suppress(OSError):
                self._introduce(one)
            self._judge(one)

    def meet(self, seconds: float) -> None:
        """Tell the user of them until each was introduced or has failed, for so long at most. Nobody looks later."""
        until = time.monotonic() + seconds
        while any(not one.introduced and not one.warned for one in self._started) and time.monotonic() < until:
            time.sleep(0.1)
            self.look()

    def __exit__(self, *_: object) -> None:
        began = time.monotonic()
        try:
            for one in self._started:
                assert one.process.stdin is not None
                one.process.stdin.close()
            for one in self._started:
                self._await(one, began)
        finally:
            # The user may not want to wait so long, and interrupt the run again.
            for one in self._started:
                # One that has ended may have left processes of its own behind.
                with suppress(ProcessLookupError):
                    os.killpg(one.process.pid, signal.SIGKILL)
                one.process.wait()
        self.look()

    def _await(self, one: _Started, began: float) -> None:
        """Wait until it has ended, or for as long as it was promised since `began`."""
        of = one.companion
        in_time = _ended(one.process, min(QUIET, of.patience))
        if not in_time:
            left = max(began + of.patience - time.monotonic(), 0)
            if not of.endless:
                self.console.print(f"Waiting up to {left:.0f} s for {of.name}.", highlight=False, soft_wrap=True)
            in_time = _ended(one.process, left + SLACK)
        stopped = not in_time or (one.process.returncode in STOPPED and not of.endless)
        if stopped and not one.warned:
            one.warned = True
            self._warn(of, f"it was not done {of.patience:g} s after the run, and was stopped", one.log)

    def _introduce(self, one: _Started) -> None:
        """Repeat the first line that it has for the user, once it is whole."""
        if one.introduced:
            return
        # What runs beside a run may have removed its log, or put something else there.
        if (log := opened(one.log)) is None:
            return
        with log:
            *whole, _ = log.read(HEAD).decode(errors="replace").split("\n")
        for line in whole:
            if line.startswith(f"{one.companion.name}: "):
                one.introduced = True
                self.console.print(line, highlight=False, markup=False, soft_wrap=True)
                return

    def _judge(self, one: _Started) -> None:
        """Warn of one that failed, once."""
        if not one.warned and one.process.poll() not in (None, *one.companion.well):
            one.warned = True
            code = one.process.returncode
            reason = f"it was killed by {_signal(-code)}" if code < 0 else _cause(one.log)
            self._warn(one.companion, reason, one.log)

    def _warn(self, companion: Companion, reason: str, log: Path) -> None:
        text = f"warning: {companion.name}: {reason} (all of it: {log}). {companion.later}"
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def _cause(log: Path) -> str:
    """Its last line, which after a failure is its error. It may have printed any amount of anything."""
    try:
        text = cause_in(tail(log, HEAD)).removeprefix("error: ")
    except OSError as error:
        text = f"its log cannot be read ({error.strerror})"
    return "".join(sign if sign.isprintable() else " " for sign in text[:LONGEST])


def _signal(number: int) -> str:
    """What a signal is called; those for real-time programs have no names."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
