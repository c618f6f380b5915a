"""Calls in processes that a station forks."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shiftgym.engines.base import LOST, Call
from shiftgym.engines.local import ONE_THREAD
from shiftgym.engines.station import Place, Start, Station


@pytest.fixture(scope="module")
def station() -> Iterator[Station]:
    station = Station(("json", "no_such_module"))
    yield station
    station.close()


def test_a_call_ends_with_its_exit_code_and_its_log(station: Station, tmp_path: Path) -> None:
    def run(log: str, work: object, *args: object) -> int:
        path = tmp_path / "deep" / log
        return station.run(Start.of(Call(work, args, path), log=path, place=Place.here()))  # type: ignore[arg-type]

    assert run("good.txt", os.system, "echo threads $OMP_NUM_THREADS") == 0
    assert (tmp_path / "deep" / "good.txt").read_text() == f"threads {ONE_THREAD['OMP_NUM_THREADS']}\n"
    assert run("bad.txt", int, "no number") == 1
    assert (tmp_path / "deep" / "bad.txt").read_text().endswith("invalid literal for int() with base 10: 'no number'\n")
    assert run("lost.txt", sys.exit, LOST) == LOST
    assert run("killed.txt", os.abort) < 0


def test_every_call_has_a_fresh_process(station: Station, tmp_path: Path) -> None:
    def run(work: object, *args: object) -> int:
        return station.run(Start.of(Call(work, args, tmp_path / "log"), log=tmp_path / "log", place=Place.here()))  # type: ignore[arg-type]

    for _ in range(2):
        run(print, os.getpid())
        run(exec, "import os, json; print(os.getpid(), getattr(json, 'marked', 'clean')); json.marked = 'used'")
    told = (tmp_path / "log").read_text().split()
    assert told.count("clean") == 2
    assert len({word for word in told if word.isdigit()}) == 3


def test_a_call_is_made_from_the_folder_where_the_study_was_started(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "their_own.py").write_text("import os\ndef work(): print(os.getcwd())\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    place = Place.here()
    assert str(tmp_path) in place.path
    assert not any(entry.endswith("site-packages") for entry in place.path)
    code = "import their_own; their_own.work()"
    start = Start.of(Call(exec, (code,), Path("log.txt")), log=Path("log.txt"), place=place)
    assert station.run(start) == 0
    assert (tmp_path / "log.txt").read_text() == f"{tmp_path}\n"


def test_a_call_ends_with_who_started_its_station(tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path; from shiftgym.engines.base import Call\n"
        "from shiftgym.engines.station import *\n"
        "log = Path('log.txt'); Station(()).run(Start.of(Call(time.sleep, (60,), log), log=log, place=Place.here()))"
    )
    with psutil.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:
        while not (tmp_path / "log.txt").exists():
            time.sleep(0.02)
        below = process.children(recursive=True)
        process.kill()
    assert len(below) == 2
    _, alive = psutil.wait_procs(below, timeout=10)
    # Where nobody collects orphans, an ended process stays in the table as a zombie.
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
