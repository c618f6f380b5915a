"""Which figures a run has."""

from pathlib import Path

from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.compared import compare
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.drawings import all_figures
from shiftgym.reports.runs import load_run
from shiftgym.tasks.base import Task


def test_without_a_course_of_training_rates_are_drawn_at_the_end(tmp_path: Path) -> None:
    from shiftgym.studies.config import load_study

    task: Task = load_study("points-text", SMALL).build_task()
    compare(Coin(task, 0.3), Coin(task, 0.9), overrides=SMALL, folder=tmp_path)
    names = [figure.name for figure in all_figures(Analysis([load_run(tmp_path)]))]
    assert "trajectory-rule_ood" in names and "validity" in names
    assert not [name for name in names if name.startswith("success-")]
