"""Environments of peers lie over the one that runs this, and say what became of their tests."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import peer_tests

FINE = "def test_one() -> None:\n    import pytest, ours\n"
WRONG = "def test_one() -> None:\n    assert False\n"
MISSING = "import pytest\n\npytest.importorskip('nowhere')\n"
SLEEPY = "import time\n\ntime.sleep(60)\n"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The peers for which pip was asked, in a repository with peers of our own. For pip there is a stand-in, which puts
    a module `ours` into the environment."""
    asked: list[str] = []
    run = subprocess.run

    def called(command, **options):
        if command[2] == "pip":
            assert "PIP_CONSTRAINT" not in options["env"]
            folder = Path(command[0]).parents[1]
            asked.append(folder.name)
            (site,) = folder.glob("lib/python*/site-packages")
            assert not (site / "ours.py").exists()
            (site / "ours.py").touch()
            return None
        return run(command, **options)

    monkeypatch.setenv("PIP_CONSTRAINT", "constraints.txt")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(subprocess, "run", called)
    names = {"fine": FINE, "wrong": WRONG, "missing": MISSING, "sleepy": SLEEPY}
    monkeypatch.setattr(peer_tests, "PEERS", dict.fromkeys(names, 1))
    monkeypatch.setattr(peer_tests, "ROOT", tmp_path)
    monkeypatch.setattr(peer_tests, "PINS", tmp_path)
    monkeypatch.setattr(peer_tests, "ENVIRONMENTS", tmp_path / "environments")
    (tmp_path / "environments").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "constraints.txt").touch()
    for name, text in names.items():
        (tmp_path / f"{name}.txt").write_text(f"{name}==1.0\n")
        (tmp_path / "tests" / f"test_{name}_eval.py").write_text(text)
    return asked


def test_an_environment_is_made_again_where_it_is_not_what_it_should_be(made: list[str], tmp_path: Path) -> None:
    until = time.monotonic() + 60
    with (tmp_path / "log").open("w") as told:
        python = peer_tests.made("fine", told, until)
        peer_tests.made("fine", told, until)
        assert len(made) == 1
        where = "import ours, pytest; print(ours.__file__); print(pytest.__file__)"
        ours, below = subprocess.run([python, "-c", where], capture_output=True, text=True).stdout.split()
        assert Path(ours).is_relative_to(tmp_path / "environments" / "fine")
        assert below == pytest.__file__
        (python.parents[1] / ".installed").unlink()
        peer_tests.made("fine", told, until)
        assert len(made) == 2
        (tmp_path / "constraints.txt").write_text("pytest==9.0\n")
        peer_tests.made("fine", told, until)
        assert len(made) == 3


def test_each_peer_has_its_line_and_a_failure_its_log(made: list[str], tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "tests" / "test_sleepy_eval.py").unlink()
    monkeypatch.setattr(sys, "argv", ["peer_tests.py"])
    assert peer_tests.main() == 1
    told = capsys.readouterr().out
    assert re.search(r"^fine: passed in \d+ s, \d+ s of them to install \(1 passed in .*s\)$", told, re.MULTILINE)
    assert "assert False" in told
    assert "\nwrong: failed, pytest with exit code 1\n" in told
    assert "\nmissing: failed, pytest with exit code 5\n" in told
    assert "sleepy: failed, no test file is named test_sleepy.py\n" in told
    monkeypatch.setattr(sys, "argv", ["peer_tests.py", "fine"])
    assert peer_tests.main() == 0
    assert len(made) == 3


def test_what_does_not_fit_or_is_not_done_is_skipped_and_what_hangs_fails(made: list[str], capsys, monkeypatch) -> None:
    monkeypatch.setitem(peer_tests.PEERS, "fine", 120)
    monkeypatch.setattr(sys, "argv", ["peer_tests.py", "fine", "--seconds", "60"])
    assert peer_tests.main() == 0
    assert capsys.readouterr().out == "fine: skipped, since it takes about 120 s and 60 s are left\n"
    monkeypatch.setattr(sys, "argv", ["peer_tests.py", "sleepy", "--seconds", "1.8"])
    assert peer_tests.main() == 0
    assert "sleepy: skipped, since it was not done after 2 s, when the time was over\n" in capsys.readouterr().out
    monkeypatch.setitem(peer_tests.PEERS, "sleepy", 0.5)
    assert peer_tests.main() == 1
    assert "sleepy: failed, not done after 2 s\n" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["peer_tests.py", "sleepless"])
    with pytest.raises(SystemExit, match="2"):
        peer_tests.main()


def test_every_peer_has_its_exact_versions() -> None:
    assert {path.stem for path in peer_tests.PINS.glob("*.txt")} == set(peer_tests.PEERS)
    for path in peer_tests.PINS.glob("*.txt"):
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in path.read_text().splitlines())
