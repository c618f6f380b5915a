"""Processes beside a run: those that fail, hang or tell the user something, and what becomes of them at its end."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from shiftgym.layout import companion_log
from shiftgym.studies import companions
from shiftgym.studies.companions import Companion, Companions

STUB = """
import os, signal, sys, time
patience, kind, *rest = sys.argv[1:]
if kind == "fails":
    print("some words", file=sys.stderr)
    sys.exit("error: no network")
if kind == "hangs":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
if kind == "vanishes":
    log = rest[0]
    os.unlink(log)
    os.mkfifo(log)
    sys.exit(1)
if kind == "breeds":
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    sys.exit()
if kind == "babbles":
    sys.exit("\\x1b[31m" + "x" * 1_000_000)
if kind == "crashes":
    os.kill(os.getpid(), int(rest[0]))
print("a library says [something]", flush=True)
print("listens: http://127.0.0.1:8000 [/run]", flush=True)
sys.stdin.read()
if kind == "endless":
    os.kill(os.getpid(), signal.SIGTERM)
open(rest[0], "w").write("the run is over")
"""
"""In the place of `cli/companion.py`, which takes longer to start."""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_stub.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(companions, "MAIN", "a_stub")
    monkeypatch.setattr(companions, "QUIET", 0.1)
    monkeypatch.setattr(companions, "SLACK", 0.1)


def companion(kind: str, *arguments: str, patience: float = 0.2) -> Companion:
    return Companion(kind, (kind, *arguments), f"Later: {kind}", patience)


def test_each_costs_a_warning_at_most(stub: None, tmp_path: Path) -> None:
    told, over = io.StringIO(), tmp_path / "over"
    console = Console(file=told, width=20)
    wanted = [companion("fails"), companion("hangs"), companion("listens", str(over), patience=9)]
    with Companions(wanted, tmp_path, console) as beside:
        beside.start()
        until = time.monotonic() + 9
        while told.getvalue().count("\n") < 2 and time.monotonic() < until:
            time.sleep(0.02)
            beside.look()
        assert not over.exists()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert over.read_text() == "the run is over"
    first, second, *last = told.getvalue().splitlines()
    assert {first, second} == {
        f"warning: fails: no network (all of it: {companion_log(tmp_path, 'fails')}). Later: fails",
        "listens: http://127.0.0.1:8000 [/run]",
    }
    assert last == [
        "Waiting up to 0 s for hangs.",
        "warning: hangs: it was not done 0.2 s after the run, and was stopped (all of it: "
        f"{companion_log(tmp_path, 'hangs')}). Later: hangs",
    ]


def test_what_one_does_to_its_log_or_leaves_behind_harms_no_run(stub: None, tmp_path: Path) -> None:
    told = io.StringIO()
    kinds = [companion("vanishes", str(companion_log(tmp_path, "vanishes"))), companion("babbles")]
    kinds += [companion("crashes", str(signal.SIGSEGV.value)), companion("breeds")]
    with Companions(kinds, tmp_path, Console(file=told)) as beside:
        beside.start()
        breeding = beside._started[-1].process
        while breeding.poll() is None or told.getvalue().count("\n") < 3:
            time.sleep(0.02)
            beside.look()
        os.killpg(breeding.pid, 0)  # its child is there
    until = time.monotonic() + 5
    while (alive := _is_there(breeding.pid)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive
    warnings = {line.split()[1]: line for line in told.getvalue().splitlines()}
    assert len(warnings) == 3
    assert warnings["vanishes:"].startswith("warning: vanishes: the process was killed (all of it: ")
    assert warnings["crashes:"].startswith("warning: crashes: it was killed by SIGSEGV (all of it: ")
    assert "xxx (all of it: " in warnings["babbles:"]
    assert len(warnings["babbles:"]) < 900 and warnings["babbles:"].isprintable()


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_that_goes_on_until_it_is_told_to_end_has_not_failed(stub: None, tmp_path: Path) -> None:
    told = io.StringIO()
    endless = Companion("listens", ("endless",), "Later: never", 0.0, endless=True)
    with Companions([endless], tmp_path, Console(file=told)) as beside:
        beside.start()
        beside.meet(9)
        assert told.getvalue() == "listens: http://127.0.0.1:8000 [/run]\n"
    assert told.getvalue().count("\n") == 1


def test_who_is_met_and_fails_is_told_at_once(stub: None, tmp_path: Path) -> None:
    told, began = io.StringIO(), time.monotonic()
    with Companions([companion("fails")], tmp_path, Console(file=told, width=1000)) as beside:
        beside.start()
        beside.meet(60)
        assert told.getvalue().startswith("warning: fails: no network") and time.monotonic() - began < 30


def test_a_folder_of_logs_that_was_cleared_costs_the_run_nothing(stub: None, tmp_path: Path) -> None:
    with Companions([companion("listens", str(tmp_path / "over"))], tmp_path, Console()) as beside:
        beside.start()
        shutil.rmtree(companion_log(tmp_path, "listens").parent)
        beside.look()


def test_nothing_runs_that_was_not_started(stub: None, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no run"), Companions([companion("hangs")], tmp_path, Console()):
        raise RuntimeError("no run")
    assert not companion_log(tmp_path, "hangs").exists()


def test_one_that_cannot_be_started_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with Companions([companion("hangs")], tmp_path, Console()) as beside:
        beside.start()
        beside.look()
    out = capsys.readouterr().out
    assert out.startswith("warning: hangs: cannot be started (No such file or directory)")


def test_it_hears_that_the_driver_was_killed(stub: None, tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from rich.console import Console
from shiftgym.studies import companions
companions.MAIN = "a_stub"
wanted = companions.Companion("listens", ("listens", {str(tmp_path / "over")!r}), "", 9.0)
beside = companions.Companions([wanted], Path({str(tmp_path)!r}), Console())
beside.start()
os.kill(os.getpid(), signal.SIGKILL)
"""
    driver = subprocess.run([sys.executable, "-c", script], check=False)
    assert driver.returncode == -signal.SIGKILL
    until = time.monotonic() + 9
    while not (tmp_path / "over").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert (tmp_path / "over").exists()


def test_a_signal_without_a_name_and_a_log_that_cannot_be_read_cost_a_warning(
    stub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    told = io.StringIO()
    monkeypatch.setattr(companions, "opened", broken)
    monkeypatch.setattr(companions, "tail", broken)
    wanted = [companion("crashes", str(signal.SIGRTMIN + 6)), companion("fails")]
    with Companions(wanted, tmp_path, Console(file=told, width=500)) as beside:
        beside.start()
        beside.meet(9)
    first, second = sorted(told.getvalue().splitlines())
    assert first.startswith(f"warning: crashes: it was killed by signal {signal.SIGRTMIN + 6} (all of it: ")
    assert second.startswith("warning: fails: its log cannot be read (Input/output error) (all of it: ")
