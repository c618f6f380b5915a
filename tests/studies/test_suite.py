"""Suites of studies: the paper's, at toy size."""

import re

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import load_study
from shiftgym.studies.suite import Scale, load_suite, run_suite, shipped_suites


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_name_studies_branches_and_splits_that_exist(name: str) -> None:
    suite = load_suite(name)
    studies = {each: load_study(each) for each in suite.studies}
    for claim in suite.claims:
        study = studies[claim.study]
        assert {claim.a, claim.b} <= {"init", *study.branches}, claim.text
        assert claim.split in study.evaluation.splits, claim.text
        assert set(study.evaluation.decodings) == {"sampled", "greedy"}, claim.text
    for scale in suite.scales.values():
        for each, study in studies.items():
            load_study(each, scale.overrides(study))


def test_a_scale_changes_only_what_a_study_has() -> None:
    scale = Scale(study={"seeds": [0], "probes.samples": 2}, branches={"batch": 2, "minibatch": 4})
    overrides = scale.overrides(load_study("points-text"))
    assert "seeds=[0]" in [each.replace("\n", "").replace(" ", "").replace(",]", "]") for each in overrides]
    assert not any(each.startswith("probes") for each in overrides)
    assert "branches.sft.batch=2" in overrides
    assert "branches.ppo.minibatch=4" in overrides
    assert "branches.ppo.batch=2" not in overrides
    small = load_study("points-text", overrides)
    assert (small.seeds, small.branches["sft"].batch) == ((0,), 2)


def test_an_unknown_scale_is_answered_with_the_nearest(tmp_path) -> None:
    with pytest.raises(ConfigError, match="there is no scale 'smok'; did you mean 'smoke'"):
        run_suite("paper", scale="smok", overrides=(), runs=tmp_path, workers=1, plain=True)


@pytest.mark.slow
def test_the_whole_paper_runs_at_toy_size(tmp_path) -> None:
    finished = run_suite("paper", scale="smoke", overrides=(), runs=tmp_path, workers=2, plain=True)
    assert [one.failed for one in finished] == [{}] * len(load_suite("paper").studies)
    (folder,) = tmp_path.iterdir()
    page = (folder / "paper-study.md").read_text(encoding="utf-8")
    assert "shiftgym study run paper --scale smoke" in page
    assert "no data" not in page, "every claim was held against a run"
    shown = re.findall(r"\]\((.*?)\)", page)
    assert len(shown) == sum(map(len, load_suite("paper").figures.values()))
    assert all((folder / path).is_file() for path in shown)
