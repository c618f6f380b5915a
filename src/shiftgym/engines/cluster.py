"""Joining a Ray cluster, and the nodes that it has."""

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shiftgym.engines.environment import environment
from shiftgym.errors import ConfigError
from shiftgym.gpus import visible_gpus

ANSWER = 5.0
"""Seconds in which the address of a cluster must take a connection."""

PRIVATE = {"RAY_USAGE_STATS_ENABLED": "0"}
"""The environment in which Ray is started: it tells nobody that it is used."""

STORE = 100 * 2**20
"""Bytes of the object store of a Ray that is started here. What jobs make is in the run folder, not there."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a cluster, and what Ray gives out of it."""

    id: str
    address: str
    cpus: float
    gpus: int
    memory: int
    """Bytes of main memory."""
    gpu_model: str
    """Such as `H200`; `GPU` where Ray does not know."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Node":
        """From an entry of `ray.nodes()`."""
        room = told["Resources"]
        return cls(
            told["NodeID"],
            told["NodeManagerAddress"],
            room.get("CPU", 0.0),
            int(room.get("GPU", 0)),
            int(room.get("memory", 0)),
            told["Labels"].get("ray.io/accelerator-type", "GPU"),
        )


def nodes() -> list[Node]:
    """The nodes of the cluster that are alive, by address."""
    import ray

    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return sorted((Node.of(told) for told in listed if told["Alive"]), key=lambda node: (node.address, node.id))


def join(address: str | None, workers: int | None) -> bool:
    """Connect this process to a cluster, or start Ray on this machine where there is none.

    Args:
        address: `HOST:PORT`, or `auto` for a cluster that this machine belongs to. None: what RAY_ADDRESS says, else
            such a cluster, else a Ray of this process only.
        workers: most jobs at the same time, for a Ray that is started here.

    Returns:
        Whether `leave` is to be called at the end: it is not where the caller had connected before.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at this address.
    """
    try:
        import ray
    except ModuleNotFoundError as missing:
        if missing.name != "ray":
            raise
        raise ConfigError("engine 'ray' needs ray, which is not installed: pip install 'shiftgym[ray]'") from None
    if ray.is_initialized():
        there = ray.get_runtime_context().gcs_address
        if address not in (None, "auto") and _found(address) != there:
            raise ConfigError(f"address {address!r}: this process is connected to the Ray cluster {there} already")
        return False
    asked = address or os.environ.get("RAY_ADDRESS") or None
    cluster = _found(asked)
    if asked is None and cluster is not None and not _answers(cluster):
        cluster = None  # What is left of a cluster that has ended.
    quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    with environment(PRIVATE):
        if cluster is None:
            ray.init(
                address="local",
                num_cpus=max(workers or 0, len(os.sched_getaffinity(0))),
                num_gpus=len(visible_gpus()),
                include_dashboard=False,
                object_store_memory=STORE,
                **quietly,
            )
            return True
        if not _answers(cluster):
            raise ConfigError(f"address {asked!r}: no Ray cluster answers at {cluster} within {ANSWER:g} seconds")
        try:
            ray.init(address=cluster, **quietly)
        except (ConnectionError, RuntimeError, ValueError) as error:
            why = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"address {asked!r}: {why} (a study is started on a machine of the cluster, see `ray start`)"
            ) from None
    return True


def leave() -> None:
    """Disconnect; what runs for this process ends, and so does a Ray that was started for it."""
    import ray

    ray.shutdown()


def _found(address: str | None) -> str | None:
    """`HOST:PORT` of the cluster that is meant; None where none is asked for and there is none.

    Raises:
        ConfigError: it is no address, or there is no such cluster.
    """
    from ray._private.services import canonicalize_bootstrap_address

    wrong = (
        f"address {address!r}: should be HOST:PORT of a Ray cluster's head, as `ray start --head` prints it, or auto"
    )
    if address is not None and "://" in address:
        raise ConfigError(wrong)
    try:
        found: str | None = canonicalize_bootstrap_address(address)  # type: ignore[arg-type]
    except ConnectionError:
        raise ConfigError(f"address {address!r}: no Ray cluster is found on this machine; give its HOST:PORT") from None
    except (ValueError, OSError):
        raise ConfigError(wrong) from None
    return found


def _answers(cluster: str) -> bool:
    """Whether anything takes a connection there. Ray itself would try for minutes."""
    host, _, port = cluster.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError:
        return False
    return True
