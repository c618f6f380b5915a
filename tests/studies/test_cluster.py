"""A study on a Ray cluster of two nodes: what it writes, and what becomes of it when one of them dies."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.studies.conftest import TINY

from shiftgym.studies.config import load_study
from shiftgym.studies.run import Finished, resume_study, run_study

pytestmark = pytest.mark.slow

SOUND = ("init-seed0", "sft-seed0", "ppo-seed0")

FAILING = """
[compare]
controls = ["failing"]

[branches.failing]
label = "A recipe with a bug"
recipe = "recipe_of_theirs:Broken"
batch = 2
"""

RECIPE = """
from shiftgym import Recipe, SupervisedSettings

class Broken(Recipe):
    name, Settings, family = "broken", SupervisedSettings, "supervised"

    def collect(self, step):
        raise RuntimeError("broken on purpose")
"""


@pytest.fixture(scope="module")
def home(tiny_points: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder from which everything is started: a study of two sound branches and one that fails, whose recipe is a
    file there."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "tiny.toml").write_text(TINY.replace("MODEL", str(tiny_points)) + FAILING)
    (folder / "recipe_of_theirs.py").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shiftgym.reports.page.write_report", lambda of: of.first.folder / "report.html")
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def alone(home: Path) -> Finished:
    """The study on this machine."""
    return run_study(load_study(home / "tiny.toml"), runs=home / "alone", workers=2, plain=True)


@pytest.fixture(scope="module")
def together(home: Path, ray_cluster: Any) -> Finished:
    """The study on the cluster. Its relative path is one of the folder that it is started in."""
    study = load_study(home / "tiny.toml")
    done = run_study(study, runs=Path("together"), plain=True, engine="ray", address=ray_cluster.address)
    return Finished(done.folder.absolute(), done.stopped, done.failed)


def test_a_cluster_writes_what_one_machine_writes(alone: Finished, together: Finished) -> None:
    _same_bytes(together.folder, alone.folder)
    assert together.stopped == alone.stopped
    assert together.failed.keys() == alone.failed.keys()
    environment = json.loads((together.folder / "environment.json").read_text())
    assert environment["workers"] == 2
    assert environment["placement"]["device"] == "cpu"
    for machine in environment["machines"]:
        assert machine["address"] == environment["machines"][0]["address"]
        assert machine["packages"] == environment["packages"]
        assert {"host", "cores", "memory_mib", "python"} <= machine.keys()
    assert len(environment["machines"]) == 2


def test_an_exception_of_a_branch_is_not_tried_again(together: Finished) -> None:
    assert "RuntimeError: broken on purpose" in together.failed["failing-seed0"]
    log = (together.folder / "branches" / "failing-seed0" / "log.txt").read_text()
    assert log.count("Traceback") == 1
    assert not list(together.folder.glob("branches/*/try-*/done.json"))


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_either_engine_goes_on_with_what_the_other_began(
    alone: Finished, together: Finished, ray_cluster: Any, tmp_path: Path, engine: str
) -> None:
    begun = together if engine == "local" else alone
    folder = tmp_path / "run"
    shutil.copytree(begun.folder, folder)
    (folder / "results.jsonl").unlink()
    shutil.rmtree(folder / "branches" / "sft-seed0")
    # As if it had been killed after its first checkpoint.
    branch = folder / "branches" / "ppo-seed0"
    last = sorted((branch / "checkpoints").glob("step-*"))[-1]
    shutil.rmtree(last)
    (branch / "done.json").unlink()
    (branch / "results.jsonl").unlink()
    address = ray_cluster.address if engine == "ray" else None
    finished = resume_study(folder, plain=True, engine=engine, address=address)
    assert finished.failed.keys() == alone.failed.keys()
    _same_bytes(folder, alone.folder)
    assert load_study(folder / "study.toml").engine == engine


def test_a_node_that_dies_in_the_middle_of_a_branch_changes_nothing(
    alone: Finished, home: Path, ray_cluster: Any, tmp_path: Path
) -> None:
    stopped: list[psutil.Process] = []

    def kill() -> None:
        while not (found := list(tmp_path.glob("*/branches/ppo-seed0/try-1/metrics.jsonl"))):
            time.sleep(0.01)
        process = _printing_to(found[0].with_name("log.txt"))
        # It stands still from here on, so that it cannot end before its node does.
        process.suspend()
        stopped.append(process)
        ray_cluster.remove_node(_node_of(process, ray_cluster), allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    study = load_study(home / "tiny.toml")
    finished = run_study(study, runs=tmp_path, plain=True, engine="ray", address=ray_cluster.address)
    killer.join()
    ray_cluster.add_node(num_cpus=1)
    stopped[0].resume()
    assert finished.failed.keys() == alone.failed.keys()
    _same_bytes(finished.folder, alone.folder)
    assert "the node" in (finished.folder / "branches" / "ppo-seed0" / "log.txt").read_text()
    assert not list(finished.folder.glob("branches/ppo-seed0/try-*"))


def _printing_to(log: Path) -> psutil.Process:
    """The process whose log this is."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(file.path == str(log) for file in process.open_files()):
                return process
    raise AssertionError(f"nobody prints to {log}")


def _node_of(process: psutil.Process, cluster: Any) -> Any:
    """The node on which a process runs."""
    above = {parent.pid for parent in process.parents()}
    return next(node for node in cluster.worker_nodes if above & {one.pid for one in _raylets(node)})


def _raylets(node: Any) -> list[Any]:
    return [info.process for info in node.all_processes["raylet"]]


def _same_bytes(one: Path, other: Path) -> None:
    for file in ["results.jsonl", *(f"branches/{name}/metrics.jsonl" for name in SOUND)]:
        assert (one / file).read_bytes() == (other / file).read_bytes(), file
