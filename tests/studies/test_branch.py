"""What a branch does besides training."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.load import load_policy
from shiftgym.studies.branch import make_probe, make_subject, run_branch
from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan


@pytest.mark.parametrize("branch", ["ppo", "sft"])
def test_only_who_learns_from_the_expert_can_copy(faulty_file: Path, branch: str) -> None:
    small = ['probes.splits=["train"]', "probes.problems=1", "probes.samples=1"]
    study = load_study(faulty_file, small)
    planned = next(each for each in plan(study) if each.name == branch)
    start = make_subject(study, planned, *load_policy(study.model), study.build_task())
    probe = make_probe(study, planned, start, study.build_task())
    assert (probe._learned is None) == (branch == "ppo")
    assert [row["copied"] is None for row in probe.measure(start)] == [branch == "ppo"]


def test_template_variables_reach_the_model(faulty_file: Path, tmp_path: Path) -> None:
    study = load_study(faulty_file, ["template_variables.enable_thinking=false"])
    with pytest.raises(ConfigError, match="takes no 'enable_thinking'"):
        run_branch(study, plan(study)[0], tmp_path)
