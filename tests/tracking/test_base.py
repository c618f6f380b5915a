"""Trackers by name, and what several of them share."""

import importlib.util

import pytest

from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder
from shiftgym.studies.track import TRACKERS
from shiftgym.tracking.base import Point, by_compute, flat, load_tracker
from shiftgym.tracking.tell import read_run


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_said_with_what_installs_it(
    run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ConfigError, match=rf"the tracker {name} is not installed: pip install 'shiftgym\[{name}\]'"):
        load_tracker(name, read_run(run_folder.path)[0])


def test_unknown_trackers_are_refused_with_the_nearest_name(run_folder: RunFolder) -> None:
    whole = read_run(run_folder.path)[0]
    with pytest.raises(ConfigError, match=r"unknown tracker 'tensorbord'.*tensorboard"):
        load_tracker("tensorbord", whole)
    with pytest.raises(ConfigError, match=r"class Path lacks begin, log, end, close; see docs/trackers.md"):
        load_tracker("pathlib:Path", whole)


def test_what_is_measured_at_checkpoints_is_also_known_by_compute() -> None:
    points = [
        Point(3, {"train/loss": 1.0}, {"flops": 3e9}),
        Point(3, {"eval/id/success": 0.5}, {"flops": 3.4e9, "fraction": 0.1}),
        Point(3, {"eval/id/success": 0.5}, {}),
    ]
    assert by_compute(points) == [Point(3, {"eval_by_gflops/id/success": 0.5}, {})]


def test_nested_settings_become_one_table() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": "f"}) == {"a.b": 1, "a.c.d": [2], "e": "f"}
