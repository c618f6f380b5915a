"""The process of a call: what it sees, and how it ends when its peers are gone."""

import subprocess
import sys
from pathlib import Path

import pytest

from shiftgym.engines.base import LOST

CODE = """
import multiprocessing, os, sys
from pathlib import Path
from shiftgym.engines.base import Call
from shiftgym.engines.process import carry_out
code, log, place = sys.argv[1], Path(sys.argv[2]), dict(each.split("=") for each in sys.argv[3:])
process = multiprocessing.get_context("fork").Process(target=carry_out, args=(Call(exec, (code, {}), log), log, place))
process.start()
process.join()
sys.exit(process.exitcode)
"""

LONELY = """
import atexit
from shiftgym.errors import PeerLost
atexit.register(print, "the interpreter's way out")
raise PeerLost("rank 1 is gone")
"""


def carried_out(code: str, log: Path, *place: str, **environment: str) -> int:
    """The exit code of a process that runs `code`."""
    command = [sys.executable, "-c", CODE, code, str(log), *place]
    return subprocess.run(command, check=False, env={"PYTHONPATH": ":".join(sys.path), **environment}).returncode


def test_only_a_rank_has_a_place_among_ranks(tmp_path: Path) -> None:
    code = "import os; print(os.environ.get('RANK'), os.environ.get('WORLD_SIZE'), os.environ.get('MORE'))"
    assert carried_out(code, tmp_path / "alone", RANK="3", WORLD_SIZE="4", MORE="kept") == 0
    assert carried_out(code, tmp_path / "second", "RANK=1", "WORLD_SIZE=2", RANK="3", MASTER_PORT="1") == 0
    assert (tmp_path / "alone").read_text() == "None None kept\n"
    assert (tmp_path / "second").read_text() == "1 2 None\n"


def test_who_lost_a_peer_ends_at_once_with_one_line(tmp_path: Path) -> None:
    assert carried_out(LONELY, tmp_path / "log.txt", "RANK=0") == LOST
    assert (tmp_path / "log.txt").read_text() == "rank 1 is gone\n"


@pytest.mark.parametrize("place", [[], ["RANK=0"]])
def test_an_error_leaves_its_traceback(tmp_path: Path, place: list[str]) -> None:
    assert carried_out("int('no number')", tmp_path / "log.txt", *place) == 1
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert "Traceback" in "".join(lines)
    assert lines[-1].startswith("ValueError: invalid literal")
