"""Addresses of clusters, and what Ray tells of its nodes. No cluster is started here."""

import socket
import sys

import pytest

from shiftgym.engines import cluster
from shiftgym.engines.cluster import Node, join
from shiftgym.errors import ConfigError

TOLD = {
    "NodeID": "0a",
    "NodeManagerAddress": "10.0.0.5",
    "Labels": {"ray.io/node-id": "0a", "ray.io/accelerator-type": "H200"},
    "Resources": {"CPU": 16.0, "GPU": 8.0, "memory": 5e10, "accelerator_type:H200": 1.0},
}


def test_a_node_is_read_from_what_ray_tells() -> None:
    assert Node.of(TOLD) == Node("0a", "10.0.0.5", 16.0, 8, 50_000_000_000, "H200")
    head = {**TOLD, "Labels": {}, "Resources": {"memory": 1e9}}
    assert Node.of(head) == Node("0a", "10.0.0.5", 0.0, 0, 1_000_000_000, "GPU")


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ConfigError, match=r"engine 'ray' needs ray, which is not installed: pip install 'shiftgym\[ray\]'"
    ):
        join(None, None)


@pytest.mark.parametrize("address", ["nonsense", "ray://10.0.0.1:10001", "http://10.0.0.1:8265"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=f"address '{address}': should be HOST:PORT of a Ray cluster's head"):
        join(address, None)


def test_an_address_where_nothing_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"address '{address}': no Ray cluster answers at .* within 0.2 seconds"):
            join(address, None)
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ConfigError, match="no Ray cluster answers"):
            join(None, None)
