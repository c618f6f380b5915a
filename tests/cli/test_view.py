"""`shiftgym view` says where it serves, shows a new checkpoint soon, writes nothing, and ends as it is told to."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from rich.console import Console
from tests.cli.conftest import run
from tests.view.run_folders import add_results, end, make_run, rows

from shiftgym.studies.companions import Companions, page_companion

COMMAND = """
import signal
from shiftgym.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background of a shell ignores
main()
"""


def tree(folder):
    return {str(path): path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no"], "no: there is no such folder; give a run folder"),
        ([], "runs: there is no such folder"),
        (["--port", "65536"], "Must be <= 65535"),
        (["--host", "0.0.0.0", "one"], "--host 0.0.0.0: others can reach it"),
    ],
)
def test_misuse_is_one_line(arguments, said, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("SHIFTGYM_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "one")
    assert run("view", *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1 and said in printed.err


def test_a_port_in_use_is_one_line(capsys, tmp_path):
    make_run(tmp_path / "one")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run("view", str(tmp_path), "--port", port) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and port in error and "in use" in error


def test_a_missing_package_is_named(capsys, monkeypatch, tmp_path):
    make_run(tmp_path / "one")
    monkeypatch.delitem(sys.modules, "shiftgym.view.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run("view", str(tmp_path)) == 2
    assert "pip install 'shiftgym[view]'" in capsys.readouterr().err


@pytest.mark.slow
def test_beside_a_run_it_costs_a_line(tmp_path, monkeypatch):
    """What `study run --view` starts: it says where the page is, and ends with the run, however it is told to."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SHIFTGYM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder, told = make_run(tmp_path / "one").path, io.StringIO()
    with Companions([page_companion(folder)], folder, Console(file=told, width=200)) as beside:
        beside.start()
        beside.meet(60)
        name, _, url = told.getvalue().strip().partition(": ")
        assert name == "page"
        with urllib.request.urlopen(f"{url}run/one/board", timeout=20) as board:
            assert json.load(board)["patch"]["run"]["head"]["title"] == "A study"
        events = urllib.request.urlopen(f"{url}run/one/events", timeout=20)
    assert events.read().startswith(b"retry: ")
    events.close()
    assert told.getvalue() == f"page: {url}\n"


@pytest.mark.slow
def test_a_run_is_followed_until_a_signal_ends_the_server(tmp_path):
    """With the token of the environment, and a stream that is open at the end."""
    folder = make_run(tmp_path / "one", seeds=[0])
    environment = {**os.environ, "SHIFTGYM_TOKEN": "secret"}
    command = [sys.executable, "-c", COMMAND, "view", str(tmp_path), "--port", "0", "--open"]
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        first, *told = [process.stdout.readline().strip() for _ in range(4)]
        name, _, url = first.partition(": ")
        assert name == "page" and told[-1] == "There is no screen here, so no browser was opened."
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(url, timeout=20)
        assert b'name="token"' in refused.value.read()
        refused.value.close()
        asked = urllib.request.Request(f"{url}run/one/events", headers={"Authorization": "Bearer secret"})
        with urllib.request.urlopen(asked, timeout=20) as events:

            def wait_for(said):
                for line in events:
                    if line.startswith(b"data: ") and said in line:
                        return json.loads(line[6:])["patch"]
                raise AssertionError(f"{said} never came")

            wait_for(b'"head"')
            wrote = time.monotonic()
            branch = folder.branch("init-seed0")
            add_results(branch, rows("init", 0, 1, 0.0, {"id": 0.5, "rule_ood": 0.5}))
            end(branch)
            before = tree(tmp_path)
            wait_for(b'"init|id|greedy|success"')
            assert time.monotonic() - wrote < 2
            (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            assert int(peak) < 150 * 1024
            with urllib.request.urlopen(
                urllib.request.Request(f"{url}run/one/problem?split=id&index=1", headers=asked.headers), timeout=20
            ) as problem:
                assert json.load(problem)["prompts"]
            ended = time.monotonic()
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=20)
            assert time.monotonic() - ended < 4, "within two seconds, on a machine that does nothing else"
    assert (rest, errors) == ("", "")
    assert process.returncode == 130
    assert tree(tmp_path) == before
