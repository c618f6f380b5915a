"""A command beside a run, in a process of its own."""

import signal
import subprocess
import sys
import time

MORE = "import signal, subprocess, sys,"

BESIDE = """
import sys, time, types

def command(arguments):
    print(arguments, repr(sys.stdin.read()), flush=True)
    time.sleep(60)

# The real one takes longer to import.
sys.modules["shiftgym.cli.main"] = types.SimpleNamespace(main=command)
from shiftgym.cli import companion

companion.beside(0.1, ["track", "runs/x"])
"""


def test_it_has_a_little_time_left_when_the_run_is_over() -> None:
    process = subprocess.Popen([sys.executable, "-c", BESIDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    # What stands on its standard input is not the pipe.
    assert process.stdout.readline() == "['track', 'runs/x'] ''\n"
    assert process.poll() is None
    began = time.monotonic()
    process.stdin.close()
    assert process.wait(9) == -signal.SIGTERM
    assert time.monotonic() - began > 0.1
    process.stdout.close()


def test_what_it_started_ends_with_it() -> None:
    """However it ends: by itself, asked to, or by force."""
    for command in ("pass", "time.sleep(60)", "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"):
        begun = "child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True)"
        code = BESIDE.replace("    time.sleep(60)", f"    {begun}\n    {command}").replace("import sys,", MORE)
        code = code.replace("companion.beside", "companion.LAST = 0.2\ncompanion.beside")
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, start_new_session=True
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        assert process.stdout.readline().strip().isdigit()
        process.stdin.close()
        process.wait(9)
        assert process.stdout.read() == "", "the other end of its output is closed, so its child has ended"
        process.stdout.close()
