"""What trackers are told at the end of a run is what its report says."""

from tests.tracking.conftest import rows

from shiftgym.files import write_lines
from shiftgym.layout import RunFolder
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_runs
from shiftgym.tracking.summary import read_summary

CANDIDATES = """
[candidates.init]
label = "base"
checkpoints = [{ step = 0, source = "points-0" }]
[candidates.tuned]
label = "tuned"
checkpoints = [{ step = 4, source = "a" }]
"""


def test_a_run_that_has_ended_is_summed_up(run_folder: RunFolder) -> None:
    found = read_summary(run_folder.path)
    assert found is not None
    assert found.report == run_folder.report
    assert "rule_ood" in found.text
    analysis = Analysis(load_runs([run_folder.path]))
    assert analysis.reinforced is not None
    assert analysis.supervised is not None
    judged = analysis.judged(analysis.reinforced, analysis.supervised, "rule_ood")
    assert judged is not None
    key = "difference/rule_ood/ppo-sft"
    assert found.values[key] == 0.5
    assert (found.values[f"{key}_low"], found.values[f"{key}_high"]) == (judged.interval.low, judged.interval.high)
    assert found.verdicts["verdict/rule_ood/ppo-sft"] == judged.verdict
    assert found.verdicts["effect/rule_ood"] == analysis.effect("rule_ood").verdict


def test_a_run_that_is_not_over_is_not_summed_up(run_folder: RunFolder) -> None:
    run_folder.results.unlink()
    assert read_summary(run_folder.path) is None


def test_a_comparison_is_summed_up_with_the_verdict_on_each_candidate(run_folder: RunFolder) -> None:
    run_folder.study.write_text(run_folder.study.read_text() + CANDIDATES)
    found = [rows("init", 0, 0, {"id": 1, "rule_ood": 3}, start=True), rows("tuned", 0, 4, {"id": 3, "rule_ood": 1})]
    write_lines(run_folder.results, [row for each in found for row in each])
    summed = read_summary(run_folder.path)
    assert summed is not None
    assert summed.verdicts.keys() == {"verdict/rule_ood/tuned"}
    assert summed.values["difference/rule_ood/tuned-init"] == -0.5
    assert summed.values["difference/id/tuned-init"] == 0.5
