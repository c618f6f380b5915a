"""A command of shiftgym beside a run, as `studies/companions.py` starts it.

    python -m shiftgym.cli.companion SECONDS COMMAND ...

The standard input is a pipe from the process that carries out the run. When that closes it, or is gone, however it
ended, this process has so many seconds left.
"""

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from types import TracebackType

from shiftgym.cli.main import main

LAST = 2.0
"""Seconds in which a command may follow a request to end."""


def beside(seconds: float, command: list[str]) -> None:
    """Carry out a command that must not outlive the other end of the standard input for long."""
    held = os.dup(0)
    # Neither the command nor what it starts can read from the pipe, or keep it.
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a file number is wanted
        os.dup2(nothing.fileno(), 0)
    sys.excepthook = _tell_last
    # Registered first, so that it comes last: trackers have ends of their own.
    atexit.register(_leave_nothing)
    threading.Thread(target=_end_with, args=(held, seconds), daemon=True).start()
    main(command)


def _tell_last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception, and in the last line, which is what the user is told, what it says."""
    traceback.print_exception(kind, error, trace)
    print(f"error: {kind.__name__}: {' '.join(str(error).split())}", file=sys.stderr)


def _end_with(pipe: int, seconds: float) -> None:
    """End this process `seconds` after the pipe was closed at its other end."""
    while os.read(pipe, 1):
        pass
    time.sleep(seconds)
    # Nobody else ends what the command has started where the process that carried out the run was killed.
    _signal_all(signal.SIGTERM)
    time.sleep(LAST)
    _signal_all(signal.SIGKILL)


def _leave_nothing() -> None:
    """End what the command has started and left behind."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _signal_all(signal.SIGTERM)


def _signal_all(number: int) -> None:
    """Send a signal to this process and to those that it has started, if they are a group of their own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, number)
    else:
        os.kill(os.getpid(), number)


if __name__ == "__main__":
    beside(float(sys.argv[1]), sys.argv[2:])
