"""Processes that call a function together, as an engine starts the ranks of a branch."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from shiftgym.engines.group import places

WAIT = 300.0
"""Seconds in which a group has to end."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["shiftgym.training.trainer", "transformers.models.llama.modeling_llama"])


class Group:
    """Runs `work(*args)` in `count` processes, whose environment names their group. What they print goes to the files
    `0.txt`, `1.txt` ... in `folder`."""

    def __init__(self, count: int, work: Callable[..., None], *args: Any, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.processes: list[BaseProcess] = []
        for rank, environment in enumerate(places(count, "127.0.0.1")):
            one: BaseProcess = _context.Process(target=_rank, args=(environment, folder / f"{rank}.txt", work, args))
            one.start()
            self.processes.append(one)

    def kill(self, rank: int) -> None:
        """End a process as a machine that fails would."""
        pid = self.processes[rank].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def codes(self) -> list[int | None]:
        """The exit codes of all processes, by rank; waited for."""
        for one in self.processes:
            one.join(WAIT)
        return [one.exitcode for one in self.processes]

    def printed(self, rank: int) -> str:
        return (self._folder / f"{rank}.txt").read_text()

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in self.processes:
            one.kill()
            one.join()


def _rank(environment: dict[str, str], log: Path, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    import torch

    os.environ.update(environment)
    torch.set_num_threads(1)
    with log.open("a", buffering=1) as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
    work(*args)


def run_group(count: int, work: Callable[..., None], *args: Any, folder: Path) -> None:
    """Run `work` in a group to its end, which must be a good one."""
    with Group(count, work, *args, folder=folder) as group:
        codes = group.codes()
        told = "\n".join(group.printed(rank) for rank in range(count))
        assert codes == [0] * count, f"{codes}\n{told}"
