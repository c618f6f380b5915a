"""Measurements of one training become a comparison that grows."""

from pathlib import Path

import pytest

from shiftgym.candidates.judging import judged_study
from shiftgym.candidates.trajectory import Trajectory
from shiftgym.errors import ConfigError
from shiftgym.files import read_lines
from shiftgym.layout import RunFolder
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.studies.config import Study, load_study


def asked(problems: int = 6) -> Study:
    return judged_study(load_study("points-text", [f"evaluation.problems={problems}"]), probes=False)


def steps_in(folder: Path) -> list[tuple[str, int, float]]:
    rows = read_lines(RunFolder(folder).results)
    return list(dict.fromkeys((row["branch"], row["step"], row["fraction"]) for row in rows))


def test_it_grows_and_is_judged_at_every_step(tmp_path: Path) -> None:
    study, folder = asked(), tmp_path / "shift"
    wrong, right = ScriptedPolicy(lambda *_: "no idea"), ExpertPolicy(study.build_task())
    trajectory = Trajectory(folder, study, "mine", begun=0)
    trajectory.measure(0, wrong, None)
    assert trajectory.compared.verdicts == {}
    trajectory.measure(5, wrong, 1e6)
    assert trajectory.compared.verdicts["mine"]["rule_ood"].word == "undecided"
    trajectory.measure(10, right, 2e6)
    judged = trajectory.compared.verdicts["mine"]["rule_ood"]
    assert (judged.word, judged.shifted.interval.value) == ("generalised", 1.0)
    assert trajectory.steps == [0, 5, 10]
    assert steps_in(folder) == [("init", 0, 1.0), ("trained", 5, 0.5), ("trained", 10, 1.0)]
    assert trajectory.found(5).estimate("success", split="id").value == 0
    assert trajectory.found(10).estimate("success", split="id").value == 1


def test_a_resumed_training_keeps_what_came_before_and_measures_the_rest_again(tmp_path: Path) -> None:
    study, folder = asked(), tmp_path / "shift"
    wrong, right = ScriptedPolicy(lambda *_: "no idea"), ExpertPolicy(study.build_task())
    first = Trajectory(folder, study, "mine", begun=0)
    for step in (0, 5, 10):
        first.measure(step, wrong, None)

    resumed = Trajectory(folder, study, "mine", begun=7)
    assert resumed.steps == [0, 5]
    resumed.measure(10, right, None)
    assert resumed.found(10).estimate("success", split="id").value == 1
    assert [step for _, step, _ in steps_in(folder)] == [0, 5, 10]

    with pytest.raises(ConfigError, match="its answers were given with samples = 2, not 3"):
        Trajectory(folder, judged_study(load_study("points-text", ["evaluation.samples=3"]), probes=False), "mine", 7)
    assert Trajectory(folder, study, "mine", begun=0).steps == [], "a new training begins anew"
    assert not folder.exists()
