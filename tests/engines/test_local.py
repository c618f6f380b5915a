"""Jobs side by side. The work is done by functions of the standard library, which a child can import."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shiftgym.engines.base import Job, State
from shiftgym.engines.local import ONE_THREAD, LocalEngine

SLEEPER = """
import time
from pathlib import Path
from shiftgym.engines.base import Job
from shiftgym.engines.local import LocalEngine
job = Job("sleep", time.sleep, (60,), Path("log.txt"))
LocalEngine(workers=1, imports=()).run([job], watch=lambda _: None)
"""


def test_a_job_runs_with_one_thread_and_prints_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log.txt"
    echo = Job("echo", os.system, ("echo threads $OMP_NUM_THREADS",), log)
    assert LocalEngine(workers=1, imports=()).run([echo], watch=lambda _: None) == {"echo": "done"}
    assert log.read_text() == "threads 1\n"


def test_the_environment_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(ONE_THREAD)
    monkeypatch.setenv(names[0], "7")
    monkeypatch.delenv(names[1], raising=False)
    LocalEngine(workers=1, imports=()).run([Job("nothing", print, (), tmp_path / "log.txt")], watch=lambda _: None)
    assert os.environ[names[0]] == "7"
    assert names[1] not in os.environ


def test_a_failure_takes_along_only_what_needs_it(tmp_path: Path) -> None:
    jobs = [
        Job("last", print, (), tmp_path / "last.txt", needs="after bad"),
        Job("bad", int, ("no number",), tmp_path / "bad.txt"),
        Job("good", print, (), tmp_path / "good.txt"),
        Job("after bad", print, (), tmp_path / "after_bad.txt", needs="bad"),
        Job("after good", print, (), tmp_path / "after_good.txt", needs="good"),
    ]
    states = LocalEngine(workers=2, imports=()).run(jobs, watch=lambda _: None)
    assert states == {"bad": "failed", "good": "done", "after bad": "skipped", "after good": "done", "last": "skipped"}
    assert "ValueError" in (tmp_path / "bad.txt").read_text()


def test_no_more_workers_than_asked_for(tmp_path: Path) -> None:
    seen: list[dict[str, State]] = []
    jobs = [Job(f"job {number}", print, (), tmp_path / "log.txt") for number in range(3)]
    LocalEngine(workers=1, imports=()).run(jobs, watch=lambda states: seen.append(dict(states)))
    assert max(list(states.values()).count("running") for states in seen) == 1
    assert set(seen[-1].values()) == {"done"}


def test_by_default_there_is_a_worker_for_every_core() -> None:
    assert LocalEngine(workers=None, imports=()).workers == len(os.sched_getaffinity(0))


def test_children_end_when_watching_fails(tmp_path: Path) -> None:
    def interrupt(_: dict[str, State]) -> None:
        raise KeyboardInterrupt

    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        LocalEngine(workers=1, imports=()).run([Job("sleep", time.sleep, (60,), tmp_path / "log.txt")], watch=interrupt)
    left = [child for child in psutil.Process().children() if child not in before]
    assert all("resource_tracker" in " ".join(child.cmdline()) for child in left)


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], cwd=tmp_path) as process:
        while not (tmp_path / "log.txt").exists():
            time.sleep(0.05)
        children = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert children
    # Where nobody collects orphans, an ended process stays in the table as a zombie.
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
