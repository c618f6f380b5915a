"""Where the branches of a study run: the interface of an engine, and the list of engines.

A new engine is a class in a file of its own and a line in `ENGINES`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from shiftgym.gpus import Gpu

State = Literal["waiting", "running", "done", "failed", "skipped"]
"""`skipped`: the job that it needs failed."""

Watch = Callable[[dict[str, State]], None]
"""Called with the state of every job, by name."""

ENGINES = {"local": "shiftgym.engines.local:LocalEngine"}
"""The class of each engine. It is text, so that naming one does not import the others."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call in a process of its own."""

    name: str
    work: Callable[..., None]
    """A function of a module (the process imports it by name). It fails by raising."""
    args: tuple[Any, ...]
    log: Path
    """Where everything that the job prints goes; a failure ends it with a traceback."""
    needs: str | None = None
    """Name of the job that must be done before this one starts."""
    gpus: float = 0.0
    """What it takes of a GPU: 1 is a whole one, 0.5 half of one. It sees no other GPU, and this one as `cuda`."""


class Engine(Protocol):
    """Runs jobs. What they leave in their folders is the same for every engine."""

    workers: int
    """Most jobs at the same time."""
    threads: int
    """Threads of each job."""
    gpus: Sequence[Gpu]
    """The GPUs that jobs may be given."""

    def __init__(self, *, workers: int | None, imports: Sequence[str], gpus: Sequence[Gpu]) -> None:
        """
        Args:
            workers: most jobs at the same time; None: as many as there are GPUs, or room on the CPU.
            imports: modules that nearly every job imports, so that an engine may import them once for all.
            gpus: those that jobs may be given; none where all jobs run on the CPU.
        """
        ...

    def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        """Run all jobs, in order as they become ready; the state in which each ended.

        A job that fails stops only the jobs that need it. On any exception here, Ctrl-C included, running jobs are
        ended; they also end when this process is killed.

        Args:
            watch: called about twice a second, and once at the end.
        """
        ...


def gpu_share(engine: Engine) -> float:
    """What each of many like jobs may take of a GPU, so that as many run side by side as the engine has workers."""
    return 1 / math.ceil(engine.workers / len(engine.gpus)) if engine.gpus else 0.0


def load_engine(name: str, *, workers: int | None, imports: Sequence[str], gpus: Sequence[Gpu] = ()) -> Engine:
    """The engine called `name` in `ENGINES`; the arguments are those of `Engine`."""
    module, _, kind = ENGINES[name].partition(":")
    engine: type[Engine] = getattr(import_module(module), kind)
    return engine(workers=workers, imports=imports, gpus=gpus)
