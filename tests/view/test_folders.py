"""Runs are found where they lie, by names that lead nowhere else."""

from pathlib import Path

import pytest
from tests.view.run_folders import make_run

from shiftgym.view.folders import Runs, leads_out


@pytest.fixture
def folder(tmp_path):
    for name in ("one", "suite/points", "suite/navigation", "a/b/c", "a/b/too/deep", ".hidden", "one/branches/no"):
        make_run(tmp_path / "runs" / name)
    make_run(tmp_path / "elsewhere")
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "runs" / "empty").mkdir()
    return tmp_path / "runs"


def test_runs_lie_in_folders_and_in_suites(folder):
    """Links and hidden folders are left out, and a run holds no other."""
    runs = Runs(folder)
    assert not runs.alone
    assert runs.all() == {
        "one": folder / "one",
        "suite~points": folder / "suite" / "points",
        "suite~navigation": folder / "suite" / "navigation",
        "a~b~c": folder / "a" / "b" / "c",
    }


def test_a_run_folder_is_alone(folder, monkeypatch):
    monkeypatch.chdir(folder / "one")
    runs = Runs(Path())
    assert runs.alone and list(runs.all()) == ["one"]


def test_a_name_is_compared_and_never_joined(folder):
    runs = Runs(folder)
    for name in ("../elsewhere", "..", ".", "", "linked", "suite/points", str(folder / "one"), "one/../one", "one\0"):
        assert runs.get(name) is None


def test_a_new_run_is_found_and_one_that_has_gone_is_not(folder):
    runs = Runs(folder)
    assert runs.get("new") is None
    make_run(folder / "new")
    assert runs.get("new") == folder / "new"
    for path in sorted((folder / "new").rglob("*"), reverse=True):
        path.unlink()
    (folder / "new").rmdir()
    assert "new" not in runs.all() and runs.get("new") is None


def test_a_name_of_other_bytes_is_text(tmp_path):
    (tmp_path / "a\udcffb").mkdir()
    make_run(tmp_path / "a\udcffb" / "x y")
    (name,) = Runs(tmp_path).all()
    assert name == "a\ufffdb~x y" and name.encode()


def test_of_two_folders_with_one_name_the_first_has_it(tmp_path):
    make_run(tmp_path / "a" / "b")
    make_run(tmp_path / "a~b")
    assert Runs(tmp_path).all() == {"a~b": tmp_path / "a" / "b"}


def test_a_link_that_leads_out_is_found(folder, tmp_path):
    run = folder / "one"
    assert leads_out(run) is None
    (run / "same.toml").symlink_to(run / "study.toml")
    assert leads_out(run) is None
    (run / "branches" / "log.txt").symlink_to("../../../secret")
    assert leads_out(run) == run / "branches" / "log.txt"
