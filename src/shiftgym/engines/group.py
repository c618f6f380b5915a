"""The ranks of a job: what each process is told of the others, and how they have ended."""

import random
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from shiftgym.engines.base import LOST, State

PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables by which a process finds its rank and the others, as under torchrun. A process that is alone
has none of them, whatever its parent was started by."""

PORTS = range(20_000, 32_768)
"""Ports that Linux gives only to who asks for them, so that one that is free stays free."""

GRACE = 2.0
"""Seconds for which it is not decided yet why a rank ended badly: the one that was the cause may be seen later."""

FOLLOWING = (LOST, -signal.SIGABRT)
"""Exit codes that may follow from how another rank ended."""


def places(ranks: int, address: str) -> list[dict[str, str]]:
    """What the environment of each rank is to say, on the machine of this address, where this is called; nothing if
    there is one."""
    if ranks == 1:
        return [{}]
    port = str(free_port())
    values = [(str(rank), str(ranks), str(rank), address, port) for rank in range(ranks)]
    return [dict(zip(PLACE, each, strict=True)) for each in values]


def free_port() -> int:
    """A port of this machine to which nothing listens."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as trial:
            try:
                trial.bind(("", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def ended(codes: Sequence[int | None], waited: float) -> Literal["done", "failed", "lost"] | None:
    """How a job has ended; None if it goes on.

    A process that was killed is a loss, whatever the others came to: an error of theirs follows from it. Without one,
    an error is the job's own, and that others lost a peer follows from that. So it may where one was aborted: the
    watchdog of NCCL does that to a process whose peer is gone or came too late.

    Args:
        codes: exit code of each rank, negative where it was killed by a signal; None while it runs.
        waited: seconds since one of them is known to have ended badly.
    """
    bad = [code for code in codes if code]
    if any(code < 0 and code not in FOLLOWING for code in bad):
        return "lost"
    if not bad:
        return None if None in codes else "done"
    if None in codes and waited < GRACE:
        return None
    return "lost" if all(code in FOLLOWING for code in bad) else "failed"


def loss_in_words(codes: Sequence[int | None]) -> str:
    """Why a job that was lost ended, from the exit code of each rank."""
    rank, code = min(enumerate(codes), key=lambda each: each[1] or 0)
    if code is None or code >= 0:
        return "a rank lost another one, or waited for it in vain"
    who = f"rank {rank}" if len(codes) > 1 else "the process"
    hint = " (the system does that when main memory runs out)" if -code == signal.SIGKILL else ""
    return f"{who} was killed by {signal.Signals(-code).name}{hint}"


def settled(
    log: Path,
    codes: Sequence[int | None],
    end: Literal["done", "failed", "lost"],
    *,
    losses: int,
    restarts: int,
    reason: str,
) -> State:
    """The state of a job that has ended; it waits if it is to be started again. What is to be said of it is written
    into its log.

    Args:
        losses: how often it was lost by now.
        reason: why it was lost, if it was.
    """
    if end == "failed":
        gather_logs(log, codes)
    if end != "lost":
        return end
    again = losses <= restarts
    tell_loss(log, reason, losses, again)
    return "waiting" if again else "failed"


def rank_log(log: Path, rank: int) -> Path:
    """Where a rank prints to, beside the log of rank 0."""
    return log if rank == 0 else log.with_name(f"{log.stem}-rank-{rank}{log.suffix}")


def gather_logs(log: Path, codes: Sequence[int | None]) -> None:
    """Add the logs of the ranks that ended by an error of their own to that of rank 0, which itself may only have lost
    a peer."""
    for rank, code in enumerate(codes):
        if rank and code and code != LOST and rank_log(log, rank).is_file():
            with log.open("a", encoding="utf-8") as out:
                out.write(f"Rank {rank}:\n{rank_log(log, rank).read_text(encoding='utf-8', errors='replace')}")


def tell_loss(log: Path, reason: str, losses: int, again: bool) -> None:
    """Write into the log of a job that it was lost, and whether it is started again."""
    log.parent.mkdir(parents=True, exist_ok=True)
    often = "once" if losses == 1 else f"{losses} times"
    more = "; it is started again" if again else f"; it was lost {often} and is not started again"
    with log.open("a", encoding="utf-8") as out:
        out.write(f"{reason}{more}\n")
