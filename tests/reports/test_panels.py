"""The drawings that figures are made of."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from shiftgym.reports import panels
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import MANY
from shiftgym.reports.panels import Panel, Side, colour_of


def drawn(panel: Panel) -> Any:
    axes = Figure().add_axes((0, 0, 1, 1))
    panel.draw(axes)
    return axes


def test_lines_of_controls_are_dashed_and_thin_and_others_solid(analysis: Analysis) -> None:
    sides = [Side(split, "sampled", "success", split) for split in ("id", "rule_ood")]
    axes = drawn(panels.trajectory(analysis, "title", *sides))
    lines = {line.get_color(): line for line in reversed(axes.lines) if len(line.get_xdata()) > 3}
    for branch, dashed in (("sft", False), ("ppo", False), ("sft-diverse", True), ("ppo-noisy", True)):
        line = lines[colour_of(analysis, branch)]
        assert line.is_dashed() == dashed
        assert line.get_linewidth() == (1.1 if dashed else 2.2)


def test_a_trajectory_goes_from_the_start_to_the_end(analysis: Analysis) -> None:
    assert analysis.start and analysis.supervised
    sides = [Side(split, "sampled", "success", split) for split in ("id", "rule_ood")]
    axes = drawn(panels.trajectory(analysis, "title", *sides))
    line = next(line for line in axes.lines if line.get_color() == colour_of(analysis, "sft"))
    for entry, at in ((analysis.start, 0), (analysis.supervised, -1)):
        rates = [analysis.rate(entry, side.split, "sampled", "success") for side in sides]
        assert [line.get_xdata()[at], line.get_ydata()[at]] == pytest.approx(
            [100 * rate.value for rate in rates if rate]
        )


def test_a_ranking_names_every_entry_with_its_rank(analysis: Analysis) -> None:
    axes = drawn(panels.pareto(analysis, "rule_ood"))
    named = [text.get_text() for text in axes.texts if "  " in text.get_text()]
    ranking = analysis.rankings["rule_ood"]
    assert [name.split(" (at")[0] for name in named] == [f"{i}  {one.entry.label}" for i, one in enumerate(ranking, 1)]


def test_in_a_crowd_only_what_the_study_is_about_stands_out(crowd: Analysis) -> None:
    sides = [Side(split, "greedy", "success", split) for split in ("id", "rule_ood")]
    axes = drawn(panels.trajectory(crowd, "title", *sides))
    assert {text.get_text() for text in axes.texts} - {""} == {"start", "SFT", "PPO"}
    assert len([line for line in axes.lines if line.get_linewidth() == 2.2]) == 2
    compute = drawn(panels.against_compute(crowd, "id", "greedy", "success", "title", "flops"))
    assert (len(compute.texts), len(compute.collections)) == (MANY, 2), "names of lines, and bands"


def test_a_ranking_of_a_crowd_names_the_shown_and_draws_the_others_as_points(crowd: Analysis) -> None:
    axes = drawn(panels.pareto(crowd, "rule_ood"))
    named = {text.get_text().split("  ")[1].split(" (at")[0] for text in axes.texts if "  " in text.get_text()}
    assert named == {entry.label for entry in crowd.shown if entry != crowd.start}
    (points,) = [line for line in axes.lines if line.get_marker() == "."]
    assert 0 < len(points.get_xdata()) <= len(crowd.hidden)
