"""Tasks by name."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.tasks.points import PointsTask
from shiftgym.tasks.registry import build_task, load_task, require_split


def test_a_shipped_task_and_its_full_path_are_the_same():
    assert load_task("points") is load_task("shiftgym.tasks.points.task:PointsTask") is PointsTask


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("point", "did you mean 'points'"),
        ("", "did you mean 'points'"),
        ("no_such_module:Task", "there is no module 'no_such_module'"),
        ("shiftgym.nothing:Task", "there is no module 'shiftgym.nothing'"),
        ("shiftgym.tasks.points:Nothing", "has no class 'Nothing'"),
        ("shiftgym.seeds:rng", "has no class 'rng'"),
        ("shiftgym.tasks.points:Hand", "lacks name, Options, Setting"),
    ],
)
def test_what_is_not_a_task_says_why_in_one_line(name, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        load_task(name)
    assert "\n" not in str(caught.value)


def test_a_users_task_is_found_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "own_points.py").write_text(
        "from shiftgym.tasks.points import PointsTask\n\n\nclass Own(PointsTask):\n    name = 'own'\n"
    )
    monkeypatch.chdir(tmp_path)
    assert build_task("own_points:Own").name == "own"


def test_a_broken_import_inside_a_users_module_keeps_its_traceback(tmp_path, monkeypatch):
    (tmp_path / "broken_points.py").write_text("import something_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        load_task("broken_points:Own")


def test_settings_are_typed_and_unknown_keys_get_the_nearest():
    task = build_task("points", options={"limit": 3}, splits={"id": {"hands": "test"}}, seed=4)
    assert (task.limit, task.splits["id"].hands) == (3, "test")
    with pytest.raises(ConfigError, match=r"task\.limt: unknown key; did you mean 'limit'"):
        build_task("points", options={"limt": 3})
    with pytest.raises(ConfigError, match=r"splits\.id\.target: .* greater than or equal to 1"):
        build_task("points", splits={"id": {"target": 0}})
    with pytest.raises(ConfigError, match="did you mean 'id'"):
        require_split(task, "di")
