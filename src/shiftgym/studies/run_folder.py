"""Making the folder of a run, and holding it as the only process that writes there."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder


def new_folder(runs: Path, name: str) -> Path:
    """Make a new folder named after `name` and the present second.

    Raises:
        ConfigError: `runs` is no folder that may be written.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = runs / f"{name}-{stamp}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(f"{runs}: no run folder can be made there: {error.strerror}") from None
        return folder
    raise ConfigError(f"{runs}: a hundred runs of {name} were started in this second")


@contextmanager
def only_one(run: RunFolder) -> Iterator[None]:
    """Hold the lock of the run, which two processes would corrupt. The lock ends with its process, however that
    ends.

    Raises:
        ConfigError: another process holds it, or the file system has no locks.
    """
    with run.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{run.path}: another process is working on this run") from None
        except OSError as error:
            raise ConfigError(
                f"{run.lock}: its file system gives no lock against a second process ({error.strerror}); "
                "mount it with locks, or choose another folder"
            ) from None
        yield
