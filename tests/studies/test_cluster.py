"""A study on a Ray cluster of two nodes: what it writes, and what becomes of it when one of them dies."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from shiftgym.studies.config import load_study
from shiftgym.studies.run import Finished, resume_study, run_study

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_report")]

SOUND = ("init-seed0", "sft-seed0", "ppo-seed0")


@pytest.fixture(scope="module")
def alone(faulty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The study on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shiftgym.reports.page.build_report", lambda folder: folder / "report.html")
        return run_study(load_study(faulty_file), runs=tmp_path_factory.mktemp("alone"), workers=2, plain=True)


@pytest.fixture(scope="module")
def together(faulty_file: Path, ray_cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The study on the cluster; relative paths are those of the folder that it is started in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shiftgym.reports.page.build_report", lambda folder: folder / "report.html")
        patch.chdir(tmp_path_factory.mktemp("together"))
        study = load_study(faulty_file)
        done = run_study(study, runs=Path("runs"), plain=True, engine="ray", address=ray_cluster.address)
        return Finished(done.folder.absolute(), done.stopped, done.failed)


def test_a_cluster_writes_what_one_machine_writes(alone: Finished, together: Finished) -> None:
    for file in ["results.jsonl", *(f"branches/{name}/metrics.jsonl" for name in SOUND)]:
        assert (together.folder / file).read_bytes() == (alone.folder / file).read_bytes(), file
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
    assert "splits.impossible: no solvable hand" in together.failed["failing-seed0"]
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
    for file in ["results.jsonl", *(f"branches/{name}/metrics.jsonl" for name in SOUND)]:
        assert (folder / file).read_bytes() == (alone.folder / file).read_bytes(), file
    assert load_study(folder / "study.toml").engine == engine


def test_a_node_that_dies_in_the_middle_of_a_branch_changes_nothing(
    alone: Finished, faulty_file: Path, ray_cluster: Any, tmp_path: Path
) -> None:
    def kill() -> None:
        while not list(tmp_path.glob("*/branches/ppo-seed0/try-*/metrics.jsonl")):
            time.sleep(0.01)
        # Branches run on both.
        ray_cluster.remove_node(next(iter(ray_cluster.worker_nodes)), allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    study = load_study(faulty_file)
    finished = run_study(study, runs=tmp_path, plain=True, engine="ray", address=ray_cluster.address)
    killer.join()
    ray_cluster.add_node(num_cpus=1)
    assert finished.failed.keys() == alone.failed.keys()
    for file in ["results.jsonl", *(f"branches/{name}/metrics.jsonl" for name in SOUND)]:
        assert (finished.folder / file).read_bytes() == (alone.folder / file).read_bytes(), file
    logs = "".join(path.read_text() for path in finished.folder.glob("branches/*/log.txt"))
    assert "node" in logs
