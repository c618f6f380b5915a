"""A process that imports modules once and then forks a fresh process for every call, for engines whose own workers
cannot be forked: a fork copies the locks of its parent's threads.

Run as `python -m shiftgym.engines.station`. It ends, and with it the call that runs, when who started it ends.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

from shiftgym.engines.base import Call
from shiftgym.engines.local import FORKED, ONE_THREAD
from shiftgym.engines.process import carry_out


@dataclass(frozen=True, slots=True)
class Place:
    """From where a study was started: a call finds the same modules and relative paths, if its machine has them."""

    folder: str
    """The working directory."""
    path: tuple[str, ...]
    """Where modules are searched for, besides where Python is installed."""

    @classmethod
    def here(cls) -> "Place":
        installed = (Path(sys.prefix), Path(sys.base_prefix))
        entries = [Path(entry).absolute() for entry in sys.path]
        return cls(str(Path.cwd()), tuple(str(e) for e in entries if not any(e.is_relative_to(i) for i in installed)))

    def enter(self) -> None:
        """Have this process work there."""
        if Path(self.folder).is_dir():
            os.chdir(self.folder)
        sys.path.extend(entry for entry in self.path if entry not in sys.path)


@dataclass(frozen=True, slots=True)
class Start:
    """A call and what its process needs. The call is pickled, since only that process imports its modules."""

    call: bytes
    log: Path
    """Where it prints to."""
    place: Place
    environment: Mapping[str, str]
    """What is added to that of its parent."""

    @classmethod
    def of(cls, call: Call, *, log: Path, place: Place) -> "Start":
        return cls(bytes(ForkingPickler.dumps(call)), log.absolute(), place, {})


class Station:
    """The process, seen from the one that starts it."""

    def __init__(self, imports: Sequence[str]) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            # A session of its own, so that Ctrl-C at the terminal does not reach it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "shiftgym.engines.station", str(theirs.fileno()), *imports],
                stdin=subprocess.DEVNULL,
                env=os.environ | ONE_THREAD | FORKED,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def run(self, start: Start) -> int:
        """The exit code of the call's process; negative if a signal ended it.

        Raises:
            EOFError, OSError: the station itself has ended.
        """
        self._connection.send(start)
        code: int = self._connection.recv()
        return code

    def close(self) -> None:
        """End it."""
        self._connection.close()
        self._process.wait()


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    for module in sys.argv[2:]:
        with suppress(ImportError):
            import_module(module)
    fork = multiprocessing.get_context("fork")
    with suppress(EOFError, ConnectionError):
        while True:
            process = fork.Process(target=_child, args=(connection.recv(),))
            process.start()
            # Nothing is sent while a call runs: there is only an end to read.
            if process.sentinel not in wait([process.sentinel, connection]):
                process.kill()
            process.join()
            connection.send(process.exitcode)


def _child(start: Start) -> None:
    start.place.enter()
    carry_out(Call(_unpickle, (start.call,), start.log), start.log, start.environment)


def _unpickle(pickled: bytes) -> None:
    """Only now are the modules of the call imported, so that what is wrong with them is in its log."""
    call: Call = ForkingPickler.loads(pickled)
    call.work(*call.args)


if __name__ == "__main__":
    main()
