"""Jobs side by side. The work is done by functions of the standard library, which a child can import."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from shiftgym.engines.base import Call, Job, State, gpu_share
from shiftgym.engines.local import FORKED, ONE_THREAD, LocalEngine
from shiftgym.errors import ConfigError
from shiftgym.gpus import Gpu
from shiftgym.placement import Placement

SLEEPER = """
import time
from pathlib import Path
from shiftgym.engines.base import Call, Job
from shiftgym.engines.local import LocalEngine
job = Job("sleep", lambda: Call(time.sleep, (60,), Path("log.txt")), ranks=2)
LocalEngine(workers=1, imports=()).run([job], watch=lambda _: None)
"""


def job(
    name: str,
    work: Callable[..., object],
    args: tuple[object, ...],
    log: Path,
    *,
    needs: str | None = None,
    gpus: float = 0.0,
    ranks: int = 1,
    restarts: int = 0,
) -> Job:
    return Job(name, lambda: Call(work, args, log), needs, gpus=gpus, ranks=ranks, restarts=restarts)


def python(name: str, code: str, folder: Path, *, gpus: float = 0.0, ranks: int = 1, restarts: int = 2) -> Job:
    """A job that runs `code`, which knows its `rank`, the log `out` of its own, and how often it has `begun`."""
    start = (
        "import os, signal, sys, time; from pathlib import Path; from shiftgym.errors import PeerLost; "
        f"rank = int(os.environ.get('RANK', 0)); out = Path({str(folder)!r}) / f'{name}-{{rank}}'; "
        "begun = len(out.read_text().splitlines()) + 1 if out.exists() else 1; "
        "out.write_text('begun\\n' * begun)"
    )
    return job(name, exec, (f"{start}\n{code}", {}), folder / "log.txt", gpus=gpus, ranks=ranks, restarts=restarts)


def begun(folder: Path, name: str, rank: int = 0) -> int:
    return len((folder / f"{name}-{rank}").read_text().splitlines())


def test_a_job_runs_with_one_thread_and_prints_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log.txt"
    echo = job("echo", os.system, ("echo threads $OMP_NUM_THREADS",), log)
    assert LocalEngine(workers=1, imports=()).run([echo], watch=lambda _: None) == {"echo": "done"}
    assert log.read_text() == "threads 1\n"


def test_the_environment_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(ONE_THREAD | FORKED)
    monkeypatch.setenv(names[0], "7")
    monkeypatch.delenv(names[1], raising=False)
    LocalEngine(workers=1, imports=()).run([job("nothing", print, (), tmp_path / "log.txt")], watch=lambda _: None)
    assert os.environ[names[0]] == "7"
    assert names[1] not in os.environ


def test_a_failure_takes_along_only_what_needs_it(tmp_path: Path) -> None:
    jobs = [
        job("last", print, (), tmp_path / "last.txt", needs="after bad"),
        job("bad", int, ("no number",), tmp_path / "bad.txt"),
        job("good", print, (), tmp_path / "good.txt"),
        job("after bad", print, (), tmp_path / "after_bad.txt", needs="bad"),
        job("after good", print, (), tmp_path / "after_good.txt", needs="good"),
    ]
    states = LocalEngine(workers=2, imports=()).run(jobs, watch=lambda _: None)
    assert states == {"bad": "failed", "good": "done", "after bad": "skipped", "after good": "done", "last": "skipped"}
    assert "ValueError" in (tmp_path / "bad.txt").read_text()


def test_no_more_workers_than_asked_for(tmp_path: Path) -> None:
    seen: list[dict[str, State]] = []
    jobs = [job(f"job {number}", print, (), tmp_path / "log.txt") for number in range(3)]
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
        LocalEngine(workers=1, imports=()).run([job("sleep", time.sleep, (60,), tmp_path / "log.txt")], watch=interrupt)
    left = [child for child in psutil.Process().children() if child not in before]
    assert all("resource_tracker" in " ".join(child.cmdline()) for child in left)


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], cwd=tmp_path) as process:
        while not (tmp_path / "log-rank-1.txt").exists():
            time.sleep(0.05)
        children = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert len(children) >= 2
    # Where nobody collects orphans, an ended process stays in the table as a zombie.
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_what_was_killed_is_started_again_and_what_failed_is_not(tmp_path: Path) -> None:
    jobs = [
        python("twice", "if begun < 3: os.kill(os.getpid(), signal.SIGKILL)", tmp_path),
        python("always", "os.kill(os.getpid(), signal.SIGTERM)", tmp_path / "always", restarts=1),
        python("wrong", "int('no number')", tmp_path / "wrong"),
    ]
    for each in ("always", "wrong"):
        (tmp_path / each).mkdir()
    states = LocalEngine(workers=2, imports=()).run(jobs, watch=lambda _: None)
    assert states == {"twice": "done", "always": "failed", "wrong": "failed"}
    assert (begun(tmp_path, "twice"), begun(tmp_path / "always", "always"), begun(tmp_path / "wrong", "wrong")) == (
        3,
        2,
        1,
    )
    memory = "the process was killed by SIGKILL (the system does that when main memory runs out); it is started again"
    assert (tmp_path / "log.txt").read_text().splitlines() == [memory, memory]
    assert (tmp_path / "always" / "log.txt").read_text().splitlines()[1] == (
        "the process was killed by SIGTERM; it was lost 2 times and is not started again"
    )


def test_every_start_has_a_call_of_its_own(tmp_path: Path) -> None:
    logs = iter([tmp_path / "first.txt", tmp_path / "second.txt"])
    code = "import os\nif not os.path.exists(second): os.kill(os.getpid(), 9)\nprint('well')"
    again = Job("again", lambda: Call(exec, (code, {"second": str(tmp_path / "second.txt")}), next(logs)), restarts=1)
    assert LocalEngine(workers=1, imports=()).run([again], watch=lambda _: None) == {"again": "done"}
    assert (tmp_path / "second.txt").read_text() == "well\n"


LOST_PEER = "time.sleep(0.2); raise PeerLost('rank 1 is gone')"


@pytest.mark.parametrize(
    "first_time",
    [
        # Rank 0 would wait for ever, sees its peer go, or fails with what it does not know as such.
        "os.kill(os.getpid(), signal.SIGKILL) if rank else time.sleep(60)",
        f"if rank: os.kill(os.getpid(), signal.SIGKILL)\n    {LOST_PEER}",
        "if rank: time.sleep(0.3); os.kill(os.getpid(), signal.SIGKILL)\n    raise RuntimeError('Connection reset')",
        # A rank that stands still is noticed by the others, and heeds no signal but one.
        f"if rank: os.kill(os.getpid(), signal.SIGSTOP)\n    {LOST_PEER}",
    ],
    ids=["peers wait", "peers notice", "peers fail", "stands still"],
)
def test_the_loss_of_a_rank_starts_all_again(tmp_path: Path, first_time: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftgym.engines.group.GRACE", 1.0)
    # Both have begun before one is lost, or the other would take its second start for its first.
    both = "while not all((out.parent / f'pair-{each}').exists() for each in (0, 1)): time.sleep(0.01)"
    code = f"{both}\nif begun == 1:\n    {first_time}\nprint('rank', rank, 'of', os.environ['WORLD_SIZE'])"
    together = python("pair", code, tmp_path, ranks=2, restarts=1)
    assert LocalEngine(workers=2, imports=()).run([together], watch=lambda _: None) == {"pair": "done"}
    assert begun(tmp_path, "pair", 0) == begun(tmp_path, "pair", 1) == 2
    assert (tmp_path / "log.txt").read_text().splitlines()[-1] == "rank 0 of 2"
    assert (tmp_path / "log-rank-1.txt").read_text().splitlines()[-1] == "rank 1 of 2"


def test_the_error_of_a_rank_ends_all_and_is_told(tmp_path: Path) -> None:
    together = python("pair", "if rank: int('no number')\nraise PeerLost('rank 1 is gone')", tmp_path, ranks=2)
    assert LocalEngine(workers=2, imports=()).run([together], watch=lambda _: None) == {"pair": "failed"}
    assert begun(tmp_path, "pair") == 1
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert lines[0] == "rank 1 is gone"
    assert lines[-1].startswith("ValueError: invalid literal")


def test_a_group_waits_for_room_and_nobody_overtakes_it(tmp_path: Path) -> None:
    """It has more ranks than there are workers, so it runs alone."""
    seen: list[set[str]] = []
    short, long = "time.sleep(0.1)", "time.sleep(0.4)"
    jobs = [
        python("long", long, tmp_path),
        python("short", short, tmp_path),
        python("all", short, tmp_path, ranks=3),
    ]
    jobs += [python(f"behind {number}", short, tmp_path) for number in range(2)]

    def watch(states: dict[str, State]) -> None:
        seen.append({name for name, state in states.items() if state == "running"})

    assert set(LocalEngine(workers=2, imports=()).run(jobs, watch).values()) == {"done"}
    assert {"long", "short"} in seen
    assert {"all"} in seen
    assert not [together for together in seen if "all" in together and together != {"all"}]
    first = {name: next(at for at, running in enumerate(seen) if name in running) for name in ("all", "behind 0")}
    assert first["all"] < first["behind 0"]


def two_gpus() -> list[Gpu]:
    return [Gpu("3", "NVIDIA H200", "GPU-3"), Gpu("GPU-5", "NVIDIA H200", "GPU-5")]


def tell(name: str, folder: Path, seconds: float, gpus: float = 1.0) -> Job:
    """A job that prints the GPU that it sees, when it begins and when it ends."""
    times = "import os, time; t = time.monotonic"
    code = f"{times}; b = t(); time.sleep({seconds}); print(os.environ.get('CUDA_VISIBLE_DEVICES') or 'none', b, t())"
    return job(name, subprocess.check_call, ([sys.executable, "-c", code],), folder / f"{name}.txt", gpus=gpus)


def told(log: Path) -> tuple[str, float, float]:
    gpu, began, ended = log.read_text().split()
    return gpu, float(began), float(ended)


def most_together(spans: list[tuple[float, float]]) -> int:
    return max(sum(began <= at < ended for began, ended in spans) for at, _ in spans)


@pytest.mark.parametrize(("workers", "together"), [(None, 1), (1, 1), (4, 2)])
def test_each_job_has_a_gpu_of_its_own_or_its_share_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int | None, together: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "what the parent sees")
    engine = LocalEngine(workers=workers, imports=(), gpus=two_gpus())
    jobs = [tell(f"job {number}", tmp_path, 0.6, gpu_share(engine)) for number in range(5)]
    assert set(engine.run(jobs, watch=lambda _: None).values()) == {"done"}
    seen = [told(tmp_path / f"{job.name}.txt") for job in jobs]
    # Slots are given back: five jobs ran on the two.
    assert {gpu for gpu, _, _ in seen} == ({"3"} if workers == 1 else {"3", "GPU-5"})
    for name in ("3", "GPU-5"):
        spans = [(began, ended) for gpu, began, ended in seen if gpu == name]
        assert not spans or most_together(spans) <= together
    if workers != 1:
        assert most_together([(began, ended) for _, began, ended in seen]) > 1
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "what the parent sees"


def test_a_failed_job_gives_its_gpu_back(tmp_path: Path) -> None:
    engine = LocalEngine(workers=None, imports=(), gpus=two_gpus()[:1])
    jobs = [job("bad", int, ("no number",), tmp_path / "bad.txt", gpus=1.0), tell("good", tmp_path, 0)]
    assert engine.run(jobs, watch=lambda _: None) == {"bad": "failed", "good": "done"}


def test_each_rank_has_a_gpu_of_its_own(tmp_path: Path) -> None:
    engine = LocalEngine(workers=None, imports=(), gpus=two_gpus())
    see = "print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['LOCAL_RANK'])"
    assert engine.run([python("pair", see, tmp_path, gpus=1.0, ranks=2)], watch=lambda _: None) == {"pair": "done"}
    logs = [(tmp_path / name).read_text().split() for name in ("log.txt", "log-rank-1.txt")]
    assert {gpu for gpu, _ in logs} == {"3", "GPU-5"}
    assert [rank for _, rank in logs] == ["0", "1"]
    with pytest.raises(ConfigError, match="three: ranks = 3 need a GPU each, and there are 2 here"):
        engine.run([python("three", see, tmp_path, gpus=1.0, ranks=3)], watch=lambda _: None)


def test_a_job_that_asks_for_no_gpu_gets_none(tmp_path: Path) -> None:
    alone = tell("alone", tmp_path, 0, gpus=0.0)
    LocalEngine(workers=None, imports=(), gpus=two_gpus()).run([alone], watch=lambda _: None)
    assert told(tmp_path / "alone.txt")[0] == "none"


@pytest.mark.parametrize(("gpus", "share"), [([], 1.0), (two_gpus(), 2.0)])
def test_a_job_that_can_never_start_is_refused(tmp_path: Path, gpus: list[Gpu], share: float) -> None:
    with pytest.raises(ValueError, match="of a GPU"):
        LocalEngine(workers=1, imports=(), gpus=gpus).run([tell("big", tmp_path, 0, share)], watch=lambda _: None)


def test_workers_share_gpus_evenly() -> None:
    shares = {
        workers: gpu_share(LocalEngine(workers=workers, imports=(), gpus=two_gpus())) for workers in (None, 1, 2, 3, 6)
    }
    assert shares == {None: 1, 1: 1, 2: 1, 3: 0.5, 6: 1 / 3}
    assert gpu_share(LocalEngine(workers=3, imports=(), gpus=())) == 0


def test_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"address '10.0.0.1:6379': the engine local has no cluster"):
        LocalEngine.connect(workers=1, imports=(), placement=Placement(device="cpu"), address="10.0.0.1:6379")
