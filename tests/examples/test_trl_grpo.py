"""The example that trains with TRL by sequential revision runs from its data to its report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "integrations" / "trl_grpo.py"


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 90


@pytest.mark.slow
def test_it_trains_and_compares(tmp_path: Path) -> None:
    pytest.importorskip("trl")
    toy = ["--steps=2", "--conversations=16", "--problems=2", f"--out={tmp_path}"]
    done = subprocess.run(
        [sys.executable, EXAMPLE, *toy],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("'rewards/verdict/mean'") == 2
    assert f"Report: {tmp_path / 'compare' / 'report.html'}" in done.stdout.splitlines()[-1]
    rows = [json.loads(line) for line in (tmp_path / "compare" / "results.jsonl").read_text().splitlines()]
    assert {row["branch"] for row in rows} == {"init", "GRPO"}
