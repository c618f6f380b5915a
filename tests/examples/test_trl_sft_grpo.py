"""The example that trains with TRL runs from its data to its report."""

import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "trl_sft_grpo.py"


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # as for a user, whose versions of the peer may deprecate names
@pytest.mark.usefixtures("drawn_once")
def test_both_are_trained_measured_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trl")
    from examples.trl_sft_grpo import main

    main(["--sft-steps=2", "--grpo-steps=1", "--problems=2", f"--out={tmp_path}"])
    assert f"Report: {tmp_path / 'compare' / 'report.html'}" in capsys.readouterr().out.splitlines()[-1]
    judged = rows_of(tmp_path / "compare")
    for name, label, last in (("sft", "SFT", 2), ("grpo", "GRPO", 1)):
        assert (tmp_path / name / "model.safetensors").is_file()
        along = tmp_path / name / "shift"
        assert label in (along / "report.html").read_text(encoding="utf-8")
        measured = rows_of(along)
        assert {row["step"] for row in measured} == set(range(last + 1))
        end = [answers(row) for row in measured if row["step"] == last]
        assert end == [answers(row) for row in judged if row["branch"] == label], "the saved model answers alike"


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def answers(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in ("split", "decoding", "problem", "tokens", "decisions")]
