"""Where the branches of a study run: the interface of an engine, and the list of engines.

A new engine is a class in a file of its own and a line in `ENGINES`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from shiftgym.gpus import Gpu
from shiftgym.placement import Placement

State = Literal["waiting", "running", "done", "failed", "skipped"]
"""`skipped`: the job that it needs failed."""

Watch = Callable[[dict[str, State]], None]
"""Called with the state of every job, by name."""

ENGINES = {"local": "shiftgym.engines.local:LocalEngine", "ray": "shiftgym.engines.ray:RayEngine"}
"""The class of each engine. It is text, so that naming one does not import the others."""


LOST = 75
"""The exit code of a process that ends because another rank of its job is gone, or its machine will be (EX_TEMPFAIL of
sysexits.h). The job is then started again, as after a kill."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call in a process of its own, which may be on another machine."""

    work: Callable[..., None]
    """A function of a module (the process imports it by name). It fails by raising."""
    args: tuple[Any, ...]
    log: Path
    """Where everything that the call prints goes; a failure ends it with a traceback."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is started once, and again where its process or its machine was lost. What it takes is of one rank."""

    name: str
    begin: Callable[[], Call]
    """Called here, each time that the job is started; so every start can have a folder of its own."""
    needs: str | None = None
    """Name of the job that must be done before this one starts."""
    cpus: float = 1.0
    """Cores that it keeps busy."""
    gpus: float = 0.0
    """What it takes of a GPU: 1 is a whole one, 0.5 half of one. It sees no other GPU, and this one as `cuda`."""
    memory: int = 0
    """Bytes of main memory; 0 where nobody knows."""
    ranks: int = 1
    """Processes that make the same call together. Each finds its place as under torchrun, in the environment: `RANK`,
    `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`. They start together and end together. What rank N prints
    goes to `log-rank-N.txt` beside the log of rank 0."""
    restarts: int = 0
    """How often it is started again after a loss. An exception of its own fails it at once."""


class Engine(Protocol):
    """Runs jobs. What they leave in their folders is the same for every engine."""

    workers: int
    """Most jobs at the same time."""
    threads: int
    """Threads of each job."""
    gpus: Sequence[Gpu]
    """The GPUs that jobs may be given; none where all jobs run on the CPU."""
    elsewhere: bool
    """Whether jobs may run on other machines than this one, and are placed there by the main memory they ask for."""
    notes: list[str]
    """What the user is to know at the end, a line each."""

    @classmethod
    def connect(cls, *, workers: int | None, imports: Sequence[str], placement: Placement, address: str | None) -> Self:
        """
        Args:
            workers: most jobs at the same time; None: as many as there are GPUs, or room on the CPU.
            imports: modules that nearly every job imports, so that an engine may import them once for all.
            placement: where models run.
            address: of a cluster, for an engine that has one.

        Raises:
            ConfigError: there is no such device, or nothing at this address.
        """
        ...

    def ask(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        """What `question(*args)` returns on each machine that jobs may run on, with the address of the machine.

        Args:
            question: a function of a module. It may import what it likes.

        Raises:
            ConfigError: it raised one on a machine, which the message names, or there was no answer.
        """
        ...

    def require(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        """The same; a machine that joins later is asked before it has its first job, and has none if this fails."""
        ...

    def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        """Run all jobs, in order as they become ready; the state in which each ended.

        A job that fails stops only the jobs that need it. On any exception here, Ctrl-C included, running jobs are
        ended; they also end when this process is killed.

        Args:
            watch: called after jobs have ended, before those that need them start, and about twice a second.

        Raises:
            ConfigError: a job asks for more than any machine has. Then none has started.
        """
        ...

    def close(self) -> None:
        """Let go of the machines. Nothing may be run after that."""
        ...


def gpu_share(engine: Engine) -> float:
    """What each of many like jobs may take of a GPU, so that as many run side by side as the engine has workers."""
    return 1 / math.ceil(engine.workers / len(engine.gpus)) if engine.gpus else 0.0


def load_engine(
    name: str, *, workers: int | None, imports: Sequence[str], placement: Placement, address: str | None = None
) -> Engine:
    """The engine called `name` in `ENGINES`; the arguments are those of `Engine.connect`."""
    module, _, kind = ENGINES[name].partition(":")
    engine: type[Engine] = getattr(import_module(module), kind)
    return engine.connect(workers=workers, imports=imports, placement=placement, address=address)
