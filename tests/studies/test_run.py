"""A whole study: it ends with results and a report, a killed one goes on as if nothing had been."""
from pathlib import Path
from shiftgym.studies.config import Study
from shiftgym.studies.run import run_study


def test_a_study_ends_with_results(tiny_study: Study, tmp_path: Path) -> None:
    finished = run_study(tiny_study, runs=tmp_path / "runs", workers=2)
    assert not finished.failed
