"""A first import, `--help` and everything above the torch line are quick and bring in nothing heavy."""

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "matplotlib", "pandas", "scipy", "numpy", "pyarrow"}

TELL = "; import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"

HELP = (
    "import sys; from shiftgym.cli.main import app; sys.argv = ['shiftgym']; "
    "app(['--help'], result_action='return_value')"
)


@pytest.mark.parametrize(
    "code",
    [
        "import shiftgym",
        HELP,
        "from shiftgym.studies import config, run, estimate, single, progress, keys",
        "from shiftgym import play, build_task, ExpertPolicy, evaluate; build_task('points').problem('train', 0)",
    ],
    ids=["package", "help", "studies", "task"],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code + TELL], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", ["import shiftgym", HELP], ids=["package", "help"])
def test_quick(code: str) -> None:
    def cpu_seconds() -> float:
        """Of the processor, which other work on the machine does not lengthen."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_seconds() for _ in range(3)) < 0.3
