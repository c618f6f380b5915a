"""The benchmark of following runs at toy size."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_runs_at_toy_size() -> None:
    size = ["--branches", "2", "--seeds", "1", "--checkpoints", "2", "--problems", "2"]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "view.py", *size], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "3 branches with seeds" in done.stdout and "both are kept" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
