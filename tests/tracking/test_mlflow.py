"""What MLflow's own client finds."""

import os
from typing import Any

import pytest

from shiftgym.layout import RunFolder
from shiftgym.tracking.base import Summary, load_tracker
from shiftgym.tracking.tell import _follow, read_run

pytestmark = [
    pytest.mark.slow,  # It takes seconds to import.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    # What the tracker sets is forgotten after the test.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def told(run: RunFolder, summary: Summary | None) -> None:
    whole, sources = read_run(run.path)
    sources = [source for source in sources if source.tracked.title in ("init-seed0", "ppo-seed0")]
    tracker = load_tracker("mlflow", whole)
    _follow(tracker, sources, run)
    tracker.close(summary)


def runs(run: RunFolder) -> tuple[Any, dict[str, Any]]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient((run.path / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("of-the-run")
    return client, {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}


def test_a_replay_adds_what_is_new_and_nothing_twice(run_folder: RunFolder) -> None:
    results = run_folder.branch("ppo-seed0").results
    rows = results.read_text().splitlines(keepends=True)
    results.write_text("".join(rows[: len(rows) // 2]))
    told(run_folder, None)
    results.write_text("".join(rows))
    key = "difference/rule_ood/ppo-init"
    for _ in range(2):
        told(run_folder, Summary("It generalised.", {key: 0.25}, {"effect/rule_ood": "appeared"}, run_folder.report))
    client, found = runs(run_folder)
    whole = found.pop(run_folder.path.name)
    assert found.keys() == {"init-seed0", "ppo-seed0"}
    assert {each.data.tags["mlflow.parentRunId"] for each in found.values()} == {whole.info.run_id}
    ppo = found["ppo-seed0"]

    def history(of: Any, metric: str) -> list[tuple[int, float]]:
        return [(each.step, each.value) for each in client.get_metric_history(of.info.run_id, metric)]

    assert history(ppo, "train/loss") == [(1, 1), (2, 0.5), (3, 1 / 3), (4, 0.25)]
    assert history(ppo, "eval/rule_ood/success") == [(2, 0.75), (4, 0.75)]
    assert history(ppo, "eval_by_gflops/rule_ood/success") == [(2, 0.75), (4, 0.75)]
    assert ppo.data.params["branch"] == "ppo"
    assert ppo.data.params["budget.flops"] == "4000000000.0"
    assert ppo.info.status == "FINISHED"
    assert history(whole, key) == [(0, 0.25)]
    assert whole.data.tags["effect/rule_ood"] == "appeared"
    assert {each.path for each in client.list_artifacts(whole.info.run_id)} == {"report.html", "result.txt"}


def test_its_own_variables_say_where(run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = run_folder.path.parent / "elsewhere"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere.as_uri())
    told(run_folder, None)
    assert elsewhere.is_dir()
    assert not (run_folder.path / "mlflow").exists()
    assert os.environ["MLFLOW_TRACKING_URI"] == elsewhere.as_uri()
