"""`shiftgym serve` says where it serves and ends as it is told to; what it cannot do is said in one line."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from tests.cli.conftest import run

COMMAND = """
import signal
from shiftgym.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background of a shell ignores
main()
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_it_serves_until_a_signal_ends_it(ending):
    """The token of the environment is asked for."""
    environment = {**os.environ, "SHIFTGYM_TOKEN": "secret"}
    command = [sys.executable, "-c", COMMAND, "serve", "--port", "0", "--set", "task.limit=2", "--max-text", "9"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        studies, _, url = process.stdout.readline().strip().partition(": ")
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(url, timeout=20)
        refused.value.close()
        asked = urllib.request.Request(url, headers={"Authorization": "Bearer secret"})
        with urllib.request.urlopen(asked, timeout=20) as reply:
            values = json.load(reply)
        process.send_signal(ending)
        rest, errors = process.communicate(timeout=20)
    assert studies == "points-text"
    assert values["studies"]["points-text"]["limit"] == 2
    assert values["limits"]["max_text"] == 9
    assert (rest, errors) == ("", "")
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}[ending]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["points-txt"], "did you mean 'points-text'?"),
        (["points-text", "points-text"], "two studies are called 'points-text'"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0: others can reach it, so put a secret token into SHIFTGYM_TOKEN"),
        (["--host", "::"], "SHIFTGYM_TOKEN"),
        (["--port", "65536"], "Must be <= 65535"),
        (["--idle", "0"], "idle 0: give seconds above 0"),
        (["--max-sessions", "0"], "max_sessions 0: give at least 1"),
        (["--set", "task.limt=1"], "did you mean 'limit'?"),
    ],
)
def test_misuse_is_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.delenv("SHIFTGYM_TOKEN", raising=False)
    assert run("serve", *arguments, *(() if "--port" in arguments else ("--port", "0"))) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1 and message in printed.err


def test_a_port_in_use_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run("serve", "--port", port) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and port in error and "in use" in error


def test_a_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "shiftgym.integrations.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run("serve") == 2
    assert "pip install 'shiftgym[serve]'" in capsys.readouterr().err
