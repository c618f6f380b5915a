"""What a process does that was started for one call, whichever engine started it."""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path

from shiftgym.engines.base import LOST, Call
from shiftgym.engines.group import PLACE
from shiftgym.errors import PeerLost


def carry_out(call: Call, log: Path, environment: Mapping[str, str]) -> None:
    """Make the call, in a process that does nothing else and ends with its parent.

    Args:
        log: where this process prints to.
        environment: what is added to that of the parent, with the place among several ranks.
    """
    for name in PLACE:
        os.environ.pop(name, None)
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its children.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", buffering=1) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    try:
        call.work(*call.args)
    except PeerLost as lost:
        print(lost)
        _leave(LOST)
    except Exception:
        if PLACE[0] not in environment:
            raise
        traceback.print_exc()
        _leave(1)


def _leave(code: int) -> None:
    """Leave not by the interpreter's way out, on which what is left of a process group may wait for the other ranks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its children, and two writers in one folder would corrupt it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
