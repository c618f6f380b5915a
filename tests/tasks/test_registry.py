"""Tasks by name."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.tasks.points import PointsTask
from shiftgym.tasks.registry import build_task, changed_defaults, load_task, require_split


def test_a_shipped_task_and_its_full_path_are_the_same():
    assert load_task("points") is load_task("shiftgym.tasks.points.task:PointsTask") is PointsTask


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("point", "unknown task 'point'; did you mean 'points'"),
        ("shiftgym.nothing:Task", "task 'shiftgym.nothing:Task': there is no module 'shiftgym.nothing'"),
        ("shiftgym.tasks.points:Hand", r"class Hand lacks name, Options, Setting.* see shiftgym/tasks/base\.py"),
    ],
)
def test_what_is_not_a_task_says_why(name, reason):
    with pytest.raises(ConfigError, match=reason):
        load_task(name)


def test_settings_are_typed_and_unknown_keys_get_the_nearest():
    task = build_task("points", options={"limit": 3}, splits={"id": {"hands": "test"}}, seed=4)
    assert (task.limit, task.splits["id"].hands) == (3, "test")
    with pytest.raises(ConfigError, match=r"task\.limt: unknown key; did you mean 'limit'"):
        build_task("points", options={"limt": 3})
    with pytest.raises(ConfigError, match=r"splits\.id\.target: .* greater than or equal to 1, not 0"):
        build_task("points", splits={"id": {"target": 0}})
    with pytest.raises(ConfigError, match=r"splits\.id\.legs: a route has from 2 to 8 legs"):
        build_task("navigation", splits={"id": {"legs": [1, 3]}})
    with pytest.raises(ConfigError, match="unknown split 'idd'; did you mean 'id'"):
        require_split(task, "idd")


def test_default_splits_are_changed_and_further_ones_added():
    assert changed_defaults("points", ["task.limit=3", "splits.test.faces=true", "splits.more.target=30"]) == (
        {"limit": 3},
        {"train": {"hands": "train"}, "test": {"hands": "test", "faces": True}, "more": {"target": 30}},
    )
    with pytest.raises(ConfigError, match="--set budget.flops=1: without a study, set task.KEY=value or splits.NAME"):
        changed_defaults("points", ["budget.flops=1"])


@pytest.mark.parametrize("name", ["points", "navigation", "examples.clock_task:ClockTask"])
def test_the_trained_split_may_have_any_name(name, monkeypatch):
    monkeypatch.chdir(__file__.rsplit("/tests/", 1)[0])
    key, home, shifted = {
        "points": ("rule", "faces_as_ten", "faces_as_11_12_13"),
        "navigation": ("rule", "absolute", "relative"),
    }.get(name, ("dial", 12, 24))
    splits = {"learn": {key: home}, "away": {key: shifted}}

    def perseverated(train):
        """Of answers given under the trained rule, on problems of the shifted split."""
        there = build_task(name, splits=splits, train=train)
        old = build_task(name, splits={**splits, "away": {key: home}})
        found = set()
        for index in range(12):
            here, before = (task.start(task.problem("away", index)) for task in (there, old))
            while here is not None:
                found.add(there.diagnose(here, old.expert(before)).perseverated)
                here, before = here.next(), before.next()
        return found

    assert perseverated("learn") - {None}
    assert name.startswith("examples") or True in perseverated("learn")
    assert perseverated(None) == perseverated("train") == {None}
