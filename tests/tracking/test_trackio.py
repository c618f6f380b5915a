"""What Trackio's own storage finds. The package has an environment of its own: `make test-peers PEERS=trackio`."""

from importlib.util import find_spec
from typing import Any

import pytest

from shiftgym.layout import RunFolder
from shiftgym.tracking.base import Summary, load_tracker
from shiftgym.tracking.tell import _follow, read_run

pytestmark = pytest.mark.skipif(find_spec("trackio") is None, reason="trackio has an environment of its own")


def told(run: RunFolder) -> None:
    whole, sources = read_run(run.path)
    tracker = load_tracker("trackio", whole)
    assert tracker.where == f"TRACKIO_DIR={run.path / 'trackio'} trackio show --project of-the-run"
    _follow(tracker, sources, run)
    tracker.close(Summary("It generalised.", {"difference/rule_ood/ppo-init": 0.25}, {"effect/rule_ood": "appeared"}))


def logged(name: str) -> list[dict[str, Any]]:
    """The rows of the one run of this name."""
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    (run,) = [run for run in trackio.Api().runs("of-the-run") if run.name == name]
    rows: list[dict[str, Any]] = SQLiteStorage.get_logs("of-the-run", name, run_id=run.id)
    return rows


def test_a_replay_takes_the_place_of_what_was_told_before(
    run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRACKIO_DIR", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        told(run_folder)
    import trackio

    group = run_folder.path.name
    titles = [f"{branch}-seed{seed}" for branch in ("init", "sft", "ppo") for seed in (0, 1)]
    assert sorted(run.name for run in trackio.Api().runs("of-the-run")) == sorted(
        f"{group}/{title}" for title in [*titles, "summary"]
    )
    rows = logged(f"{group}/ppo-seed0")
    losses = [(row["step"], row["flops"], row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == [(step, step * 1e9, 1 / step) for step in (1, 2, 3, 4)]
    evaluated = [row for row in rows if "eval/rule_ood/success" in row]
    assert [(row["step"], row["flops"], row["fraction"], row["eval/rule_ood/success"]) for row in evaluated] == [
        (2, 2e9, 0.5, 0.75),
        (4, 4e9, 1.0, 0.75),
    ]
    assert [row["difference/rule_ood/ppo-init"] for row in logged(f"{group}/summary")] == [0.25]
