"""Jobs on a Ray cluster of this machine. The work is done by functions of the standard library, which a node can
import."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from shiftgym.engines.base import Call, Job, State, gpu_share
from shiftgym.engines.cluster import Node
from shiftgym.engines.ray import RayEngine, check_room, cluster_gpus
from shiftgym.errors import ConfigError
from shiftgym.models.loading.source import find_source
from shiftgym.placement import Placement

HEAD = Node("0", "10.0.0.1", 0.0, 0, 8_000_000_000, "GPU")
SMALL = Node("1", "10.0.0.2", 4.0, 0, 16_000_000_000, "GPU")
LARGE = Node("2", "10.0.0.3", 16.0, 2, 64_000_000_000, "H200")

SUM = """
import os, time
from pathlib import Path
print(os.environ["RANK"], os.environ["WORLD_SIZE"], os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
if not Path("AGAIN").exists():
    time.sleep(60)
import torch
import torch.distributed as ranks
ranks.init_process_group("gloo")
value = torch.tensor(float(ranks.get_rank() + 1))
ranks.all_reduce(value)
print("sum", value.item())
ranks.destroy_process_group()
"""

DRIVER = """
import signal
import time
from pathlib import Path
from shiftgym.engines.base import Call, Job
from shiftgym.engines.ray import RayEngine
from shiftgym.placement import Placement
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background of a shell ignores
    engine = RayEngine.connect(workers=None, imports=(), placement=Placement(), address="ADDRESS")
    jobs = [Job("sleep", lambda: Call(time.sleep, (321.5,), Path("log.txt")))]
    try:
        engine.run(jobs, watch=lambda _: None)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        time.sleep(60)
"""


def job(name: str, folder: Path, work: Callable[..., object], *args: object, **options: Any) -> Job:
    """Each of its starts prints to a log of its own: `NAME-1/log.txt`, `NAME-2/log.txt`."""
    starts = []

    def begin() -> Call:
        starts.append(name)
        return Call(work, args, folder / f"{name}-{len(starts)}" / "log.txt")  # type: ignore[arg-type]

    return Job(name, begin, **options)


def test_the_gpus_of_a_cluster_are_those_of_its_nodes() -> None:
    gpus = cluster_gpus([HEAD, SMALL, LARGE], Placement(device="auto"))
    assert [(gpu.name, gpu.model) for gpu in gpus] == [("10.0.0.3/0", "H200"), ("10.0.0.3/1", "H200")]
    assert cluster_gpus([HEAD, LARGE], Placement(device="cpu")) == []
    assert cluster_gpus([HEAD, SMALL], Placement(device="auto")) == []
    with pytest.raises(ConfigError, match="device 'cuda': none of the 2 nodes of the cluster .* has a GPU"):
        cluster_gpus([HEAD, SMALL], Placement(device="cuda"))
    with pytest.raises(ConfigError, match="none of the 1 nodes of the cluster .* gives a CPU to jobs"):
        cluster_gpus([HEAD], Placement(device="auto"))


def test_one_gpu_of_several_is_not_to_be_chosen() -> None:
    with pytest.raises(ConfigError, match="device 'cuda:1': Ray chooses the GPU of each job; give cuda, cpu or auto"):
        RayEngine.connect(workers=None, imports=(), placement=Placement(device="cuda:1"), address=None)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"cpus": 17.0}, "17 CPUs"),
        ({"gpus": 1.0, "ranks": 3}, "3 CPUs, 3 GPUs"),
        ({"memory": 65_000_000_000}, "1 CPU, 65.0 GB"),
        ({"memory": 40_000_000_000, "ranks": 2}, "2 CPUs, 80.0 GB"),
    ],
)
def test_a_job_that_can_never_be_placed_is_refused(tmp_path: Path, options: Any, asked: str) -> None:
    have = r"they have 16 CPUs, 2 GPUs, 64.0 GB / 4 CPUs, 16.0 GB"
    with pytest.raises(
        ConfigError, match=f"big asks for {asked} on one node, which no node of the cluster has; {have}"
    ):
        check_room(job("big", tmp_path, print, **options), [SMALL, LARGE])
    check_room(job("small", tmp_path, print, gpus=1.0, ranks=2, memory=32_000_000_000), [SMALL, LARGE])


@pytest.fixture
def engine(ray_cluster: Any) -> Iterator[RayEngine]:
    engine = RayEngine.connect(
        workers=None, imports=("json",), placement=Placement(device="cpu"), address=ray_cluster.address
    )
    yield engine
    engine.close()


@pytest.mark.slow
def test_jobs_end_as_on_one_machine(engine: RayEngine, tmp_path: Path) -> None:
    seen: list[dict[str, State]] = []
    jobs = [
        job("last", tmp_path, print, needs="after bad"),
        job("bad", tmp_path, int, "no number", restarts=2),
        job("good", tmp_path, os.system, "echo threads $OMP_NUM_THREADS"),
        job("after bad", tmp_path, print, needs="bad"),
        job("after good", tmp_path, print, needs="good"),
        job("lost", tmp_path, os.abort, restarts=1),
    ]
    states = engine.run(jobs, watch=lambda now: seen.append(dict(now)))
    ends = {"good": "done", "after good": "done", "bad": "failed", "lost": "failed"}
    assert states == {**ends, "after bad": "skipped", "last": "skipped"}
    assert engine.workers == 2
    assert max(list(states.values()).count("running") for states in seen) == 2
    assert (tmp_path / "good-1" / "log.txt").read_text() == "threads 1\n"
    assert "ValueError" in (tmp_path / "bad-1" / "log.txt").read_text()
    assert not (tmp_path / "bad-2").exists(), "an exception of its own is not tried again"
    assert (tmp_path / "lost-2" / "log.txt").read_text().endswith("lost 2 times and is not started again\n")
    assert not (tmp_path / "lost-3").exists()
    # Every machine answers, and an exception of one is one line.
    assert [answer for _, answer in engine.require(divmod, 7, 2)] == [(3, 1), (3, 1)]
    with pytest.raises(ConfigError, match=r"node \d+\.\d+\.\d+\.\d+: ZeroDivisionError"):
        engine.ask(divmod, 7, 0)


@pytest.mark.slow
def test_ranks_run_on_one_node_and_start_again_on_another_when_it_dies(
    ray_cluster: Any, engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(ConfigError, match="sum asks for 2 CPUs on one node"):
        engine.run([job("sum", tmp_path, print, ranks=2)], watch=lambda _: None)
    nodes = [ray_cluster.add_node(num_cpus=2, num_gpus=2)]
    large = RayEngine.connect(workers=None, imports=(), placement=Placement(), address=ray_cluster.address)
    assert (len(large.gpus), large.workers, gpu_share(large)) == (2, 2, 1.0)
    large.require(os.getpid)
    again = tmp_path / "again"

    def kill(_: dict[str, State]) -> None:
        logs = [tmp_path / "sum-1" / log for log in ("log.txt", "log-rank-1.txt")]
        if not again.exists() and all(log.exists() and log.read_text() for log in logs):
            again.touch()
            ray_cluster.remove_node(nodes[0], allow_graceful=False)
            # This one joins while the study runs, and is asked before it has a job.
            nodes[0] = ray_cluster.add_node(num_cpus=2, num_gpus=2)

    code = SUM.replace("AGAIN", str(again))
    states = large.run([job("sum", tmp_path, exec, code, gpus=1.0, ranks=2, restarts=1)], watch=kill)
    ray_cluster.remove_node(nodes[0])
    assert states == {"sum": "done"}
    assert re.search("unavailable|died|dead", (tmp_path / "sum-1" / "log.txt").read_text())
    logs = [(tmp_path / "sum-2" / log).read_text().split("\n") for log in ("log.txt", "log-rank-1.txt")]
    assert [lines[0][:3] for lines in logs] == ["0 2", "1 2"]
    assert sorted(lines[0][-1] for lines in logs) == ["0", "1"], "each sees a GPU of its own"
    assert [lines[1] for lines in logs] == ["sum 3.0", "sum 3.0"]


@pytest.mark.slow
def test_a_node_that_joins_later_and_refuses_gets_no_jobs(ray_cluster: Any, engine: RayEngine, tmp_path: Path) -> None:
    many = RayEngine.connect(workers=4, imports=(), placement=Placement(device="cpu"), address=ray_cluster.address)
    (tmp_path / "model").mkdir()
    many.require(find_source, str(tmp_path / "model"))
    (tmp_path / "model").rmdir()
    late = ray_cluster.add_node(num_cpus=4)
    states = many.run([job(f"{number}", tmp_path, time.sleep, 0.3) for number in range(8)], watch=lambda _: None)
    ray_cluster.remove_node(late)
    assert set(states.values()) == {"done"}
    (note,) = many.notes
    assert re.match(rf"node [\d.]+ joined later and was not used: model '{tmp_path}/model' is no backbone", note)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_what_runs_ends_with_the_driver(ray_cluster: Any, tmp_path: Path, sign: signal.Signals) -> None:
    code = DRIVER.replace("ADDRESS", ray_cluster.address)
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        while not (tmp_path / "log.txt").exists():
            time.sleep(0.05)
        (sleeper,) = [one for one in psutil.process_iter() if _prints_to(one, tmp_path / "log.txt")]
        process.send_signal(sign)
        _, alive = psutil.wait_procs([sleeper], timeout=20)
        process.kill()
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def _prints_to(process: psutil.Process, log: Path) -> bool:
    try:
        return any(file.path == str(log) for file in process.open_files())
    except psutil.Error:
        return False
