"""The public names, and that a first import and `--help` are quick and bring in nothing heavy."""

import json
import resource
import subprocess
import sys

import pytest

import shiftgym

PUBLIC = {
    *("__version__", "Answer", "ChatFormat", "ConfigError", "DataError", "Decision", "Diagnosis", "Episode"),
    *("ExpertPolicy", "ModelPolicy", "OpenAIPolicy", "Policy", "Problem", "ScriptedPolicy", "ShiftgymError", "Study"),
    *("Task", "TrainingStopped", "Verdict", "build_report", "build_task", "check_task", "evaluate", "load_policy"),
    *("load_study", "load_task", "play", "resume_study", "run_study", "train"),
}

HEAVY = {"torch", "transformers", "matplotlib", "pandas", "scipy", "numpy", "pyarrow"}

TELL = "; import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"

HELP = (
    "import sys; from shiftgym.cli import app; sys.argv = ['shiftgym']; app(['--help'], result_action='return_value')"
)


def test_public_names() -> None:
    assert set(shiftgym.__all__) == PUBLIC
    assert set(dir(shiftgym)) == PUBLIC
    assert all(getattr(shiftgym, name) is not None for name in PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'pilcy'"):
        _ = shiftgym.pilcy


@pytest.mark.parametrize(
    "code",
    [
        "import shiftgym",
        HELP,
        "from shiftgym.studies import config, run, estimate, single, progress",
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
