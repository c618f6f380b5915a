"""What lies in the files of wandb for a machine without a network, read with wandb's own records."""

import json
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shiftgym.layout import RunFolder
from shiftgym.tracking.base import Summary, load_tracker
from shiftgym.tracking.tell import _follow, read_run

pytestmark = pytest.mark.slow  # It takes seconds to import, and one for each run.

BLOCK = 32768
"""Bytes in which no piece of a record crosses the end of one (https://github.com/google/leveldb, log_format.md)."""


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_DIR", "WANDB_PROJECT", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def records(path: Path) -> Iterator[Any]:
    """The records of a `.wandb` file: a log in LevelDB's format behind seven bytes, as wandb-core reads it."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        # Whole, or the last piece.
        if kind in (1, 4):
            yield Record.FromString(record)
            record = b""


def values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def told(run: RunFolder) -> dict[str, dict[str, Any]]:
    """What is found of each run after it was told."""
    whole, sources = read_run(run.path)
    # Opening a run takes a second.
    sources = [source for source in sources if source.tracked.title in ("init-seed0", "ppo-seed0")]
    tracker = load_tracker("wandb", whole)
    _follow(tracker, sources, run)
    tracker.close(
        Summary("It generalised.", {"difference/rule_ood/ppo-init": 0.25}, {"effect/rule_ood": "appeared"}, run.report)
    )
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((run.path / "wandb").glob("offline-run-*/*.wandb")):
        about: dict[str, Any] = defaultdict(list)
        for record in records(path):
            if record.HasField("run"):
                about |= {"run": record.run, "config": values(record.run.config.update)}
            elif record.HasField("history"):
                about["history"].append(values(record.history.item))
            elif record.HasField("summary"):
                about["summary"].append(values(record.summary.update))
            elif record.HasField("metric"):
                about["metrics"].append(record.metric)
        assert about["run"].display_name not in found
        found[about["run"].display_name] = about
    return found


def test_a_replay_takes_the_place_of_what_was_told_before(run_folder: RunFolder) -> None:
    first, again = told(run_folder), told(run_folder)
    assert {name: of["run"].run_id for name, of in first.items()} == {
        name: of["run"].run_id for name, of in again.items()
    }
    assert again.keys() == {"init-seed0", "ppo-seed0", "summary"}
    ppo = again["ppo-seed0"]
    assert (ppo["run"].run_group, ppo["run"].job_type) == (run_folder.path.name, "ppo")
    assert ppo["run"].project == "of-the-run"
    assert ppo["config"]["seed"] == 0
    assert ppo["config"]["budget"]["flops"] == 4e9
    losses = [(row["step"], row["flops"], row["train/loss"]) for row in ppo["history"] if "train/loss" in row]
    assert losses == [(step, step * 1e9, 1 / step) for step in (1, 2, 3, 4)]
    evaluated = [row for row in ppo["history"] if "eval/rule_ood/success" in row]
    assert [(row["step"], row["flops"], row["fraction"], row["eval/rule_ood/success"]) for row in evaluated] == [
        (2, 2e9, 0.5, 0.75),
        (4, 4e9, 1.0, 0.75),
    ]
    axes = {metric.glob_name or metric.name: metric.step_metric for metric in ppo["metrics"]}
    assert axes["*"] == "step"
    assert {"difference/rule_ood/ppo-init": 0.25, "effect/rule_ood": "appeared"}.items() <= {
        key: value for each in again["summary"]["summary"] for key, value in each.items()
    }.items()
