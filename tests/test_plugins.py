"""Classes by name."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.plugins import comes_with, load_class

SHIPPED = {"points": "shiftgym.tasks.points.task:PointsTask", "rolls": "shiftgym.nothing:Rolls"}


def test_a_shipped_class_and_its_full_path_are_the_same():
    from shiftgym.tasks.points import PointsTask

    assert load_class("points", "task", SHIPPED) is load_class(SHIPPED["points"], "task", SHIPPED) is PointsTask


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("point", r"unknown task 'point'; did you mean 'points'\? \(your own task is named 'package.module:Class'\)"),
        ("", "unknown task ''; known are points, rolls"),
        ("no_such_module:Task", "task 'no_such_module:Task': there is no module 'no_such_module'"),
        ("rolls", "task 'shiftgym.nothing:Rolls': there is no module 'shiftgym.nothing'"),
        ("shiftgym.tasks.points:Nothing", "module 'shiftgym.tasks.points' has no class 'Nothing'"),
        ("shiftgym.seeds:rng", "has no class 'rng'"),
        ("shiftgym.tasks.points.task:Hand", "class Hand lacks problem, start; see base.py"),
    ],
)
def test_what_cannot_be_loaded_says_why_in_one_line(name, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        load_class(name, "task", SHIPPED, members=("split", "problem", "start"), contract="base.py")
    assert "\n" not in str(caught.value)


def test_a_users_class_is_found_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "own_plugin.py").write_text("class Own:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    assert load_class("own_plugin:Own", "recipe", {}).__name__ == "Own"


def test_a_broken_import_inside_a_users_module_keeps_its_traceback(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("import something_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        load_class("broken_plugin:Own", "recipe", {})


@pytest.mark.parametrize(
    ("here", "path", "comes"),
    [
        ("run", "own:Own", True),
        ("run", "package.own:Own", True),
        (".", "run.own:Own", True),
        (".", "run.package.own:Own", True),
        (".", "mine:Own", False),
        (".", "shiftgym.tasks.points:PointsTask", False),
        ("run", "there_is_none:Own", False),
    ],
)
def test_code_that_comes_with_a_folder_is_told_without_running_it(tmp_path, monkeypatch, here, path, comes):
    for name in ("run/own.py", "run/package/own.py", "mine.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('it was run')")
    monkeypatch.chdir(tmp_path / here)
    assert comes_with(path, tmp_path / "run") is comes
