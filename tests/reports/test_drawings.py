"""Which figures a run has."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.compared import compare
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.boards import add_episodes, carried
from shiftgym.reports.drawings import all_figures
from shiftgym.reports.load import load_run
from shiftgym.reports.tables import compute_rows
from shiftgym.tasks.base import Task


def test_without_a_course_of_training_rates_are_drawn_at_the_end(tmp_path: Path) -> None:
    from shiftgym.studies.config import load_study

    task: Task = load_study("points-text", SMALL).build_task()
    compare(Coin(task, 0.3), Coin(task, 0.9), overrides=SMALL, folder=tmp_path)
    names = [figure.name for figure in all_figures(Analysis([load_run(tmp_path)]))]
    assert "trajectory-rule_ood" in names and "validity" in names
    assert not [name for name in names if name.startswith("success-")]


def test_models_of_unknown_steps_are_not_left_out(tmp_path: Path) -> None:
    """Beside a folder of checkpoints, the validity of a model whose steps nobody wrote down is shown too."""
    from shiftgym.candidates.answer import answer
    from shiftgym.candidates.find import Candidate, Checkpoint
    from shiftgym.candidates.run import prepare
    from shiftgym.candidates.verdicts import finish
    from shiftgym.studies.config import load_study

    task = load_study("points-text", SMALL).build_task()
    judging = prepare([Coin(task, 0.3), Coin(task, 0.9)], study="points-text", overrides=SMALL)
    grown = Candidate("sft", "SFT", (Checkpoint("x", 10), Checkpoint("x", 20)), policy=Coin(task, 0.5))
    judging = replace(judging, candidates=(*judging.candidates, grown))
    for candidate in judging.candidates:
        for checkpoint in candidate.checkpoints:
            answer(judging, candidate, checkpoint, tmp_path)
    finish(judging, tmp_path)
    analysis = Analysis([load_run(tmp_path)])
    figures = {figure.name: figure for figure in all_figures(analysis)}
    assert "success-step" in figures
    drawn = plt.figure().add_subplot()
    figures["validity"].panels[0].draw(drawn)
    assert [label.get_text() for label in drawn.get_yticklabels()] == [entry.label for entry in analysis.entries]
    board = carried(analysis, 1)
    add_episodes(board, analysis, 10**9)
    assert board.patch["run"]["head"]["noun"] == "model"
    places = {(episode["branch"], episode["checkpoint"]) for episode in board.patch["episodes"].values()}
    assert {at for name, at in places if name == "sft"} == {"step 10", "step 20"}
    assert {at for name, at in places if name != "sft"} == {"BASE", "unknown step"}
    assert [cells[0].text for _, cells in compute_rows(analysis)] == ["0", "not known", "20"]
