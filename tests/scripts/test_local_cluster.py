"""A cluster for trying, on one machine."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROBE = """
import time, ray
ray.init("auto", log_to_driver=False)
while True:
    nodes = ray.nodes()
    alive = [node["Resources"].get("CPU", 0) for node in nodes if node["Alive"]]
    if len(nodes) == 4 and sorted(alive) == [0, 1, 1]:
        raise SystemExit(3)
    time.sleep(0.2)
"""
"""Waits until one node of the cluster is dead and another has taken its place."""


@pytest.mark.slow
def test_a_command_finds_its_cluster_of_which_a_node_is_replaced() -> None:
    pytest.importorskip("ray")
    command = [sys.executable, str(ROOT / "scripts" / "local_cluster.py"), "--kill-after", "1"]
    done = subprocess.run([*command, "--", sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3, done.stderr
    assert "Ray cluster of 2 nodes and a head: export RAY_ADDRESS=" in done.stdout
    assert "A node was killed, and a new one added." in done.stdout
