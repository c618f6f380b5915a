"""A Ray cluster on this machine, for trying out what runs on one: a head without cores, and several nodes.

    python scripts/local_cluster.py -- shiftgym study run points-text-quick --engine ray --address auto
    python scripts/local_cluster.py --kill-after 60 -- shiftgym study run points-text-quick --engine ray --address auto

The command finds the cluster, which ends with it. Without a command the cluster stays until Ctrl-C, and its address is
printed. Nodes are processes here, so they share the cores and the memory of this machine.
"""

import argparse
import os
import signal
import subprocess

from ray.cluster_utils import Cluster


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2, help="nodes beside the head")
    parser.add_argument("--cpus", type=int, default=1, help="cores of each node, as it tells the head")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of each node; they are only counted")
    parser.add_argument("--kill-after", type=float, metavar="SECONDS", help="kill a node then, and add a new one")
    parser.add_argument("command", nargs="*", help="what to run beside the cluster, after --")
    options = parser.parse_args()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        nodes = [cluster.add_node(num_cpus=options.cpus, num_gpus=options.gpus) for _ in range(options.nodes)]
        cluster.wait_for_nodes()
        print(f"Ray cluster of {options.nodes} nodes and a head: export RAY_ADDRESS={cluster.address}", flush=True)
        if not options.command:
            signal.pause()
        process = subprocess.Popen(options.command, env=os.environ | {"RAY_ADDRESS": cluster.address})
        # Ctrl-C reaches the command too, which ends what it has started. It needs the cluster for that.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return process.wait(options.kill_after)
        except subprocess.TimeoutExpired:
            cluster.remove_node(nodes[0], allow_graceful=False)
            cluster.add_node(num_cpus=options.cpus, num_gpus=options.gpus)
            print("A node was killed, and a new one added.", flush=True)
            return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
