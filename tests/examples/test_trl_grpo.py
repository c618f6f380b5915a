"""The example that trains with TRL by sequential revision runs from its data to its report."""

import json
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "integrations" / "trl_grpo.py"


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 90


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # as for a user, whose versions of the peer may deprecate names
@pytest.mark.usefixtures("drawn_once")
def test_it_trains_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trl")
    from examples.integrations.trl_grpo import main

    main(["--steps=2", "--conversations=16", "--problems=2", f"--out={tmp_path}"])
    printed = capsys.readouterr().out
    assert printed.count("'rewards/verdict/mean'") == 2
    assert f"Report: {tmp_path / 'compare' / 'report.html'}" in printed.splitlines()[-1]
    rows = [json.loads(line) for line in (tmp_path / "compare" / "results.jsonl").read_text().splitlines()]
    assert {row["branch"] for row in rows} == {"init", "GRPO"}
