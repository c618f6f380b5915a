"""What a branch does besides training."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import by_decoding
from shiftgym.layout import BranchFolder
from shiftgym.models.loading.load import load_policy
from shiftgym.studies.branch import make_probe, make_subject, run_branch
from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan


@pytest.mark.parametrize("branch", ["ppo", "sft"])
def test_only_who_learns_from_the_expert_can_copy(faulty_file: Path, branch: str) -> None:
    small = ['probes.splits=["train"]', "probes.problems=1", "probes.samples=1"]
    study = load_study(faulty_file, small)
    planned = next(each for each in plan(study) if each.name == branch)
    start = make_subject(study, planned, *load_policy(study.model), study.build_task())
    probe = make_probe(study, planned, start, study.build_task(), range(1))
    assert (probe._learned is None) == (branch == "ppo")
    assert [row["copied"] is None for row in probe.measure(start)] == [branch == "ppo"]


def test_template_variables_reach_the_model(faulty_file: Path, tmp_path: Path) -> None:
    study = load_study(faulty_file, ["template_variables.enable_thinking=false"])
    with pytest.raises(ConfigError, match="takes no 'enable_thinking'"):
        run_branch(study, plan(study)[0], tmp_path, BranchFolder(tmp_path))


def test_a_checkpoint_that_cannot_be_evaluated_stops_its_branch(
    faulty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are finite and its logits are not, which only generation sees."""

    def overflowing(asked: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            asked[0].model.norm.weight.fill_(3e38)
        return by_decoding(asked, *args, **kwargs)

    monkeypatch.setattr("shiftgym.studies.branch.by_decoding", overflowing)
    study = load_study(faulty_file)
    start = plan(study)[0]
    run_branch(study, start, tmp_path, start.folder(tmp_path))
    done = json.loads(start.folder(tmp_path).done.read_text())
    assert done["state"] == "stopped"
    assert done["message"].startswith("step 1, evaluation: a logit is not finite")
    assert not start.folder(tmp_path).results.exists()
