"""A list of runs tells how each stands, and reads no more of a run than the ends of some files."""

import fcntl
import json
import os

import pytest
from tests.view.run_folders import HOSTILE, add_results, end, make_run, rows

from shiftgym.following import branch
from shiftgym.following.lines import parsed
from shiftgym.layout import RunFolder
from shiftgym.view import glances as glances_module
from shiftgym.view.glances import Glances


def listed(runs, glances=None):
    """The rows of a list, once all was read."""
    glances = glances or Glances()
    glances.read(runs)
    return glances.rows(runs)


def row(folder, glances=None):
    (found,) = listed({"name": folder.path}, glances)
    return found


def ended(run, title, success):
    folder = run.branch(title)
    add_results(folder, rows("ppo", 0, 1, 0.5, {"id": 0.0, "rule_ood": 0.0}))
    add_results(folder, rows("ppo", 0, 2, 1.0, success))
    end(folder)


def test_a_study_from_its_beginning_to_its_end(tmp_path):
    run, glances = make_run(tmp_path / "run", label="RL"), Glances()
    found = row(run, glances)
    assert (found.state, found.began, found.done, found.all) == ("waiting", None, 0, 4)
    run.environment.write_text("{}")
    os.utime(run.environment, (1e9, 1e9))
    with run.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert row(run, glances).state == "running"
    for title in ("init-seed0", "init-seed1"):
        end(run.branch(title))
    ended(run, "ppo-seed0", {"id": 1.0, "rule_ood": 0.5})
    found = row(run, glances)
    assert (found.state, found.done) == ("interrupted", 3)
    assert found.began.startswith("2001-09-0")
    assert (found.home, found.shifted) == ([("RL", "id", 1.0)], [("RL", "rule_ood", 0.5)])
    ended(run, "ppo-seed1", {"id": 0.5, "rule_ood": 0.0})
    assert row(run, glances) is found, "nobody carries it out, so nothing is read again"
    run.results.touch()
    found = row(run, glances)
    assert (found.state, found.done) == ("done", 4)
    assert [one.value for one in (*found.home, *found.shifted)] == [0.75, 0.25], "the mean over the seeds, at the end"


def test_a_run_that_ended_with_a_failure_has_failed_and_is_not_interrupted(tmp_path):
    run = make_run(tmp_path / "run")
    run.environment.write_text("{}")
    for title in ("init-seed0", "init-seed1", "ppo-seed0"):
        end(run.branch(title))
    states = dict.fromkeys(("init-seed0", "init-seed1", "ppo-seed0"), "done")
    run.states.write_text(json.dumps({"states": states | {"ppo-seed1": "failed"}}))
    assert row(run).state == "failed"
    run.states.write_text(json.dumps({"states": states | {"ppo-seed0": "failed", "ppo-seed1": "running"}}))
    assert row(run).state == "interrupted"


def test_a_comparison_shows_its_last_model(tmp_path):
    checkpoints = {"init": [0], "sft": [3, 7]}
    candidates = {
        key: {"label": key.upper(), "checkpoints": [{"step": step, "source": "x"} for step in steps]}
        for key, steps in checkpoints.items()
    }
    compare = {"train": "train", "home": "id", "shifted": ["rule_ood"], "decoding": "greedy"}
    run = make_run(tmp_path / "run", candidates=candidates, compare=compare, seeds=[0])
    run.environment.write_text("{}")
    state = "waiting"
    for key, step, success in (("init", 0, 0.0), ("sft", 3, 0.0), ("sft", 7, 1.0)):
        assert row(run).state == state
        state = "interrupted"
        add_results(run.candidate(key, step), rows(key, 0, step, 1.0, {"id": success, "rule_ood": success / 2}))
        end(run.candidate(key, step))
    found = row(run)
    assert (found.state, found.done, found.all) == ("done", 3, 3)
    assert (found.home, found.shifted) == ([("SFT", "id", 1.0)], [("SFT", "rule_ood", 0.5)])


def test_both_branches_that_a_study_is_about_are_shown_and_no_other(tmp_path):
    compare = {
        "train": "train",
        "home": "id",
        "shifted": ["rule_ood"],
        "supervised": "sft",
        "reinforced": "ppo",
        "decoding": "greedy",
    }
    branches = {name: {"label": name.upper()} for name in ("ppo", "other", "sft")}
    run = make_run(tmp_path / "run", branches=branches, compare=compare, seeds=[0])
    for name, success in (("ppo", 0.5), ("other", 0.0), ("sft", 1.0)):
        add_results(run.branch(f"{name}-seed0"), rows(name, 0, 2, 1.0, {"id": success, "rule_ood": success / 2}))
        end(run.branch(f"{name}-seed0"))
    found = row(run)
    assert found.home == [("SFT", "id", 1.0), ("PPO", "id", 0.5)]
    assert found.shifted == [("SFT", "rule_ood", 0.5), ("PPO", "rule_ood", 0.25)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= no TOML", "no valid TOML"),
        ("name = 'x'", "'title' is missing"),
        ("\0", "no valid TOML"),
        (None, "branches.ppo: should be a table"),
    ],
)
def test_a_broken_run_is_a_line_and_the_others_go_on(text, said, tmp_path):
    good = make_run(tmp_path / "good", title=HOSTILE)
    bad = make_run(tmp_path / "bad", branches={"ppo": 3})
    if text is not None:
        bad.study.write_text(text)
    broken, fine = sorted(listed({"bad": bad.path, "good": good.path}), key=lambda found: found.name)
    assert broken.state == "broken" and said in broken.title and "\n" not in broken.title
    assert fine.title == HOSTILE


def test_half_a_line_and_broken_rows_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", seeds=[0])
    end(run.branch("ppo-seed0"))
    assert row(run).home == []
    add_results(run.branch("ppo-seed0"), rows("ppo", 0, 2, 1.0, {"id": 1.0, "rule_ood": 1.0}))
    with run.branch("ppo-seed0").results.open("a") as file:
        file.write('{"branch": "ppo", "step": 3, "spl')
    assert [one.value for one in row(run).home] == [1.0]
    with run.branch("ppo-seed0").results.open("a") as file:
        file.write('\n"greedy"\n')
    assert [one.value for one in row(run).home] == [1.0]


def test_the_newest_comes_first_and_what_is_not_read_yet_says_so(tmp_path, monkeypatch):
    runs = {f"run{number}": make_run(tmp_path / str(number)) for number in range(3)}
    for number, run in enumerate(runs.values()):
        run.environment.write_text("{}")
        os.utime(run.environment, (1e9 + number, 1e9 + number))
        run.branch("init-seed0").path.mkdir(parents=True)
    paths, glances = {name: run.path for name, run in runs.items()}, Glances()
    assert [(found.name, found.state) for found in glances.rows(paths)] == [
        (name, "unread") for name in ("run2", "run1", "run0")
    ]
    assert {found.state for found in listed(paths, glances)} == {"interrupted"}
    monkeypatch.setattr(glances_module, "read_declaration", None)
    assert {found.state for found in listed(paths, glances)} == {"interrupted"}, "a study file is read once"
    glances.closed = True
    glances.read(paths | {"new": make_run(tmp_path / "new").path})
    assert {found.state for found in glances.rows(paths)} == {"interrupted"}
    (late,) = glances.rows({"new": tmp_path / "new"})
    assert late.state == "unread"


def test_results_are_read_once_and_only_at_their_end(tmp_path, monkeypatch):
    run, glances, read = make_run(tmp_path / "run", seeds=[0]), Glances(), []
    add_results(run.branch("ppo-seed0"), rows("ppo", 0, 1, 0.5, {"id": 0.0, "rule_ood": 0.0}) * 50)
    ended(run, "ppo-seed0", {"id": 1.0, "rule_ood": 1.0})
    monkeypatch.setattr(branch, "parsed", lambda line: read.append(line) or parsed(line))
    for _ in range(2):
        assert [one.value for one in row(RunFolder(run.path), glances).home] == [1.0]
    assert len(read) == 8, "the rows of the last checkpoint"


def test_what_lies_behind_a_link_does_not_belong_to_a_run(tmp_path):
    other = make_run(tmp_path / "elsewhere" / "other")
    end(other.branch("ppo-seed0"))
    add_results(other.branch("ppo-seed0"), rows("ppo", 0, 9, 1.0, {"id": 1.0, "rule_ood": 1.0}))
    run = make_run(tmp_path / "run")
    (run.path / "branches").symlink_to(other.path / "branches")
    found = row(run)
    assert (found.state, found.done, found.home) == ("waiting", 0, [])
