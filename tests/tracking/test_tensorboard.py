"""What TensorBoard's own reader finds."""

from pathlib import Path

import pytest

from shiftgym.layout import RunFolder
from shiftgym.tracking.base import Summary, load_tracker
from shiftgym.tracking.tell import _follow, read_run

pytestmark = pytest.mark.slow  # Its reader takes a second to import.


def told(run: RunFolder, summary: Summary) -> None:
    whole, sources = read_run(run.path)
    tracker = load_tracker("tensorboard", whole)
    assert tracker.where == f"tensorboard --logdir {run.path / 'tensorboard'}"
    _follow(tracker, sources, run)
    tracker.close(summary)


def scalars(folder: Path, key: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars(key)]


def texts(folder: Path) -> dict[str, str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return {key: found.Tensors(key)[0].tensor_proto.string_val[0].decode() for key in found.Tags()["tensors"]}


def test_a_replay_takes_the_place_of_what_was_told_before(run_folder: RunFolder) -> None:
    summary = Summary("It generalised.", {"difference/rule_ood/ppo-init": 0.25}, {"effect/rule_ood": "appeared"}, None)
    for _ in range(2):
        told(run_folder, summary)
    folder = run_folder.path / "tensorboard"
    losses = scalars(folder / "ppo-seed0", "train/loss")
    assert [step for step, _ in losses] == [1, 2, 3, 4]
    assert [loss for _, loss in losses] == pytest.approx([1, 0.5, 1 / 3, 0.25])
    assert scalars(folder / "ppo-seed0", "eval/rule_ood/success") == [(2, 0.75), (4, 0.75)]
    assert scalars(folder / "ppo-seed0", "eval_by_gflops/rule_ood/success") == [(2, 0.75), (4, 0.75)]
    assert scalars(folder / "init-seed0", "eval_by_gflops/id/success") == [(0, 0.5)]
    assert scalars(folder / "summary", "difference/rule_ood/ppo-init") == [(0, 0.25)]
    assert {path.name for path in folder.iterdir()} == {
        *(f"{branch}-seed{seed}" for branch in ("init", "sft", "ppo") for seed in (0, 1)),
        "summary",
    }
    of_branch = texts(folder / "sft-seed1")
    assert of_branch["state"] == "done"
    assert '"batch": 8' in of_branch["config"]
    assert "It generalised." in texts(folder / "summary")["result"]
