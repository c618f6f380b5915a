import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.following.made import Made

from shiftgym.errors import DataError
from shiftgym.files import append_lines, write_lines, write_text
from shiftgym.following import follower as module
from shiftgym.following.driver import Standing
from shiftgym.following.followed import Followed
from shiftgym.following.follower import Follower, whole_board
from shiftgym.layout import BranchFolder
from shiftgym.studies.run_folder import only_one

MADE = Made(branches=1, seeds=2)


@pytest.fixture
def run(tmp_path):
    return MADE.prepare(tmp_path / "run")


def read(follower):
    while follower.look():
        pass
    return follower.board.since()


def states(board):
    return {title: branch["state"] for title, branch in board["branches"].items()}


def test_a_run_is_followed_from_its_study_file_to_its_end(run):
    follower = Follower(run.path)
    board = read(follower)
    assert board["run"]["state"]["state"] == "waiting" and "success" not in board
    assert set(states(board).values()) == {"waiting"}
    with only_one(run):
        for seed in range(2):
            MADE.write_branch(run.branch(f"init-seed{seed}"), "init", seed)
        current = BranchFolder(run.branch("branch-0-seed0").path / "try-1")
        MADE.write_branch(current, "branch-0", 0, 1)
        standing = Standing({"branch-0-seed0": "running"}, {"branch-0-seed0": 20.0}, spent=30.0)
        write_text(run.states, json.dumps(standing.record()))
        board = read(follower)
        assert states(board) == {
            "init-seed0": "done", "init-seed1": "done", "branch-0-seed0": "running", "branch-0-seed1": "waiting"
        }  # fmt: skip
        assert board["run"]["state"]["counts"] == {"done": 2, "running": 1, "waiting": 1}
        # 8 of 20 seconds were 4 steps; 12 went into the one evaluation.
        assert board["branches"]["branch-0-seed0"]["left"] == 2 * 8 + 2 * 12
        # The other seed takes as long as this one in all, beside it.
        assert board["branches"]["branch-0-seed1"]["left"] == 60
        assert board["run"]["state"]["left"] == 60
        assert board["success"]["branch-0|id|sampled|success"]["seeds"] == [1]
        assert board["curves"]["branch-0-seed0"]["columns"]["step"] == [1, 2, 3, 4]
        assert len(board["episodes"]) == 3 * 16
        heard = follower.board.version
        assert not follower.look() and follower.board.version == heard
        MADE.write_branch(current, "branch-0", 0, 2)
        read(follower)
        (line,) = {name for name in follower.board.since(heard)["success"] if "|rule_ood|sampled|success_1" in name}
        assert len(follower.board.get("success", line)["value"]) == 2
        MADE.write(run.path)
        # The driver that is still there writes the report, which is to say so too.
        assert whole_board(run.path).get("run", "state")["state"] == "done"
    board = read(follower)
    assert board["run"]["state"]["state"] == "done" and board["run"]["state"]["left"] is None
    assert set(states(board).values()) == {"done"}
    json.dumps(board, allow_nan=False)


def test_what_was_followed_is_what_is_read_in_one_go(run, monkeypatch):
    monkeypatch.setattr(module, "CALM", 0.0)
    follower = Follower(run.path)
    for checkpoints in (1, 2, None):
        for name in MADE.names:
            for seed in range(2):
                MADE.write_branch(run.branch(f"{name}-seed{seed}"), name, seed, checkpoints)
        read(follower)
    board, whole = read(follower), whole_board(run.path).since()
    for section in ("run", "branches", "success", "curves"):
        assert board[section] == whole[section]


def test_a_driver_that_was_killed_leaves_an_interrupted_run(run):
    follower = Follower(run.path)
    current = BranchFolder(run.branch("branch-0-seed0").path / "try-1")
    MADE.write_branch(current, "branch-0", 0, 1)
    with only_one(run):
        assert read(follower)["branches"]["branch-0-seed0"]["state"] == "running"
    board = read(follower)
    assert board["run"]["state"]["state"] == board["branches"]["branch-0-seed0"]["state"] == "interrupted"
    assert board["branches"]["branch-0-seed0"]["left"] is None


def test_a_branch_that_went_on_from_a_checkpoint_in_another_try_is_shown_anew(run, monkeypatch):
    monkeypatch.setattr(module, "CALM", 0.0)
    follower, branch = Follower(run.path), run.branch("branch-0-seed0")
    first, second = (BranchFolder(branch.path / f"try-{number}") for number in (1, 2))
    with only_one(run):
        MADE.write_branch(first, "branch-0", 0, 2)
        assert read(follower)["curves"]["branch-0-seed0"]["columns"]["step"] == [*range(1, 9)]
        MADE.write_branch(second, "branch-0", 0, 1)
        board = read(follower)
        assert board["curves"]["branch-0-seed0"]["columns"]["step"] == [1, 2, 3, 4]
        assert board["success"]["branch-0|id|sampled|success"]["fraction"] == MADE.fractions[:1]
        assert (board["branches"]["branch-0-seed0"]["step"], board["branches"]["branch-0-seed0"]["tries"]) == (4, 2)
        append_lines(second.metrics, [{"step": 5, "flops": 1, "flops_paper": 1, "mine": 2.0}])
        append_lines(second.timings, [{"step": 5, "collect": 1.0, "learn": 1.0}])
        board = read(follower)
        assert board["curves"]["branch-0-seed0"]["columns"]["step"] == [1, 2, 3, 4, 5]
        assert "mine" in board["run"]["head"]["curves"]
        # All of it: the branch was begun anew.
        write_lines(second.metrics, [])
        second.timings.unlink()
        second.results.unlink()
        assert "branch-0-seed0" not in read(follower).get("curves", {})


def test_how_branches_stand_is_known_before_all_is_read(run):
    MADE.write(run.path)
    follower = Follower(run.path)
    # Not even a moment of work.
    assert follower.look(work=1e-9)
    board = follower.board.since()
    assert "success" not in board and len(board.get("branches", {})) < 4
    for _ in range(8):
        follower.look(work=1e-9)
    board = follower.board.since()
    assert len(board["branches"]) == 4
    assert all(branch["last"] for branch in board["branches"].values())
    for _ in range(8):
        follower.look(work=1e-9)
    # Each branch shows those of its last checkpoint, however many looks it took.
    assert len(follower.board.since()["episodes"]) == 4 * 16


def test_a_branch_that_ends_while_there_is_much_to_read_is_read_to_its_end(run):
    branches = [(run.branch(f"branch-0-seed{seed}"), seed) for seed in range(2)]
    for folder, seed in branches:
        MADE.write_branch(folder, "branch-0", seed, 1)
    follower = Follower(run.path)
    read(follower)
    for folder, seed in branches:
        MADE.write_branch(folder, "branch-0", seed)
    for _ in range(9):
        follower.look(work=1e-9)
    board = read(follower)
    assert board["branches"] == whole_board(run.path).since()["branches"]
    assert board["success"]["branch-0|id|sampled|success"]["seeds"] == [2, 2, 2]


def test_a_log_of_a_failed_branch_is_shown_to_its_end(run):
    MADE.write_branch(run.branch("branch-0-seed1"), "branch-0", 1, 1)
    run.branch("branch-0-seed1").log.write_text("early\n" * 9000 + "ValueError: late\n")
    write_text(run.states, json.dumps(Standing({"branch-0-seed1": "failed"}).record()))
    board = read(Follower(run.path))
    assert board["branches"]["branch-0-seed1"]["message"] == "ValueError: late"
    assert board["logs"].keys() == {"branch-0-seed1"}
    assert len(board["logs"]["branch-0-seed1"]) == 8000 and board["logs"]["branch-0-seed1"].endswith("late\n")


def test_a_folder_that_is_no_run_is_told_once_it_is_looked_at(tmp_path):
    follower = Follower(tmp_path)
    with pytest.raises(DataError, match=r"no run folder \(it has no study.toml\)"):
        follower.look()
    MADE.prepare(tmp_path)
    assert follower.problem("id", 0)["prompts"]
    assert not follower.look()


def test_a_folder_from_elsewhere_leads_nowhere_and_breaks_nothing(run, tmp_path):
    secret = tmp_path / "secret"
    MADE.write_branch(BranchFolder(secret), "branch-0", 0)
    (secret / "log.txt").write_text("secret")
    run.branch("branch-0-seed0").path.parent.mkdir()
    run.branch("branch-0-seed0").path.symlink_to(secret)
    write_text(run.states, json.dumps(Standing({"branch-0-seed0": "failed"}).record()))
    broken = run.branch("branch-0-seed1")
    MADE.write_branch(broken, "branch-0", 1, 1)
    append_lines(broken.evaluation_episodes, [{}, {"step": 4}, {"step": 4, "problem": 3}])
    broken.done.write_text('{"state": []}')
    broken.results.chmod(0)
    board = read(Follower(run.path))
    linked, other = board["branches"]["branch-0-seed0"], board["branches"]["branch-0-seed1"]
    assert (linked["state"], linked["step"], linked["last"]) == ("waiting", 0, {})
    assert linked["message"] == "its folder is a link, which is not followed"
    assert other["message"] and "logs" not in board
    assert len(board["episodes"]) == 16


@pytest.mark.parametrize("name", ["../secret", "..", "/etc", "a\\u0000"])
def test_a_branch_whose_name_leads_out_of_the_run_is_refused(run, name):
    run.study.write_text(run.study.read_text() + f'["branches"."{name}"]\nlabel = "x"\n')
    with pytest.raises(DataError, match="no name of a branch"):
        Follower(run.path).look()


def test_nothing_is_written(run):
    MADE.write(run.path)

    def found():
        return {path: path.lstat().st_mtime_ns for path in [run.path, *Path(run.path).rglob("*")]}

    before = found()
    whole_board(run.path)
    assert found() == before


def test_following_loads_nothing_heavy():
    code = (
        "import shiftgym.following.follower, sys; "
        "print(*{'torch', 'scipy', 'pyarrow', 'matplotlib', 'transformers', 'pandas', 'PIL'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_look_that_takes_longer_than_its_time_reads_on_even_so(tmp_path, monkeypatch):
    """As where the run lies on a slow file system: what waits at the front keeps nothing from being read."""
    made = Made(branches=4, seeds=2)
    run = made.prepare(tmp_path / "run")
    for name in ("init", "branch-3"):
        for seed in range(2):
            made.write_branch(run.branch(f"{name}-seed{seed}"), name, seed)
    stand = Followed.stand

    def slow(*of):
        time.sleep(0.002)
        stand(*of)

    monkeypatch.setattr(Followed, "stand", slow)
    follower, looks = Follower(run.path), 1
    while follower.look(0.01) and looks < 300:
        looks += 1
    assert looks < 300
    assert follower.board.since()["success"].keys() == whole_board(run.path).since()["success"].keys()
    assert any(key.startswith("branch-3|") for key in follower.board.since()["changes"])
