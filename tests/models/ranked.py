"""Runs a function on several ranks: processes that are joined by gloo."""

import os
import pickle
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

SECONDS = 240


def on_ranks(count: int, work: str, *arguments: Any, folder: Path) -> list[Any]:
    """What a function gives on each rank; `work` is its `module:name`, and it takes the ranks and the arguments."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "arguments").write_bytes(pickle.dumps(arguments))
    started = []
    for rank in range(count):
        environment = {
            **os.environ, "RANK": str(rank), "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }  # fmt: skip
        command = [sys.executable, "-W", "error", "-m", "tests.models.ranked", work, str(folder)]
        with (folder / f"log-{rank}").open("w") as log:
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    codes = [process.wait(SECONDS) for process in started]
    logs = [(folder / f"log-{rank}").read_text() for rank in range(count)]
    assert not any(codes), "\n".join(f"rank {rank}:\n{log}" for rank, log in enumerate(logs))
    return [read(folder / f"found-{rank}") for rank in range(count)]


def read(path: Path) -> Any:
    return pickle.loads(path.read_bytes())  # noqa: S301  written by this file


def main(work: str, folder: Path) -> None:
    from importlib import import_module

    import torch.distributed as dist

    from shiftgym.models.parallel import Ranks

    ranks = Ranks.joined("cpu", timedelta(seconds=SECONDS))
    module, name = work.split(":")
    found = getattr(import_module(module), name)(ranks, *read(folder / "arguments"))
    (folder / f"found-{ranks.rank}").write_bytes(pickle.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
