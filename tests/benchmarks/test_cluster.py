"""The benchmark of clusters runs at toy size, and its light branches are branches to whoever reads a run."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shiftgym.reports.load import load_run
from shiftgym.studies.plan import plan

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return pytest.importorskip("cluster")


@pytest.mark.slow
def test_it_runs_at_toy_size(cluster: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    # The parts that are left out run whole studies under Ray, as tests/studies/test_cluster.py does.
    assert cluster.main(["--toy", "--folder", str(tmp_path), "--part", "ranks", "jobs"]) == 0
    printed = capsys.readouterr().out
    for told in (
        "efficiency of two ranks",
        "16 light jobs on 2 nodes of 2 CPUs",
        "the driver's processor, a job",
        "memory at the end over that at 10 %",
        "No target was missed.",
    ):
        assert told in printed
    assert max(map(len, printed.splitlines())) <= 80
    (report,) = tmp_path.glob("*/report.html")
    assert len(load_run(report.parent).summaries) == 4 * 4 + 3 * 4 * 2 * 4  # seeds, names, checkpoints, places


def test_two_branches_are_equal_but_for_their_seed(cluster: ModuleType) -> None:
    planned = plan(cluster.quick(cluster.Bench(cluster.Size(), Path()), *cluster.PAIR))
    assert [branch.title for branch in planned] == ["init-seed0", "init-seed1", "sft-seed0", "sft-seed1"]


def test_a_light_branch_is_a_branch_to_readers(cluster: ModuleType, tmp_path: Path) -> None:
    bench = cluster.Bench(cluster.TOY, tmp_path)
    study = cluster.sweep(bench)
    folder = cluster.new_run(bench, study)
    for branch in plan(study):
        cluster.write_light(branch.folder(folder).path, branch.name, branch.seed)
    run = load_run(folder)
    assert (run.unfinished, run.idle) == ([], {})
    assert {of.problems for of in run.summaries} == {study.evaluation.problems}
    assert list(run.episodes(run.branches))


LEAST, MOST = {"least": 0.9}, {"most": 50}


@pytest.mark.parametrize(
    ("value", "target", "missed"), [(0.95, LEAST, False), (0.85, LEAST, True), (40, MOST, False), (60, MOST, True)]
)
def test_a_missed_target_is_told_and_counts(
    cluster: ModuleType, capsys: pytest.CaptureFixture[str], value: float, target: dict[str, Any], missed: bool
) -> None:
    bench = cluster.Bench(cluster.Size(), Path())
    bench.tell("a ratio", value, **target)
    assert bench.missed == (["a ratio"] if missed else [])
    assert capsys.readouterr().out.strip().endswith("MISSED" if missed else "PASS")
