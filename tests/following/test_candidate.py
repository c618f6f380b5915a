import json

import pytest
from tests.following.made import Made

from shiftgym.files import write_lines, write_text
from shiftgym.following import episodes
from shiftgym.following.driver import Standing
from shiftgym.following.follower import Follower, whole_board
from shiftgym.following.lines import last_lines
from shiftgym.layout import RunFolder
from shiftgym.studies.run_folder import only_one

MADE = Made(branches=1, seeds=1)

CANDIDATES = """
[candidates.init]
label = "before"
checkpoints = [{step = 0, source = "points-0"}]
[candidates.tuned]
label = "after"
checkpoints = [{step = 4, source = "a", flops = 1e9}, {step = 12, source = "b", flops = 3e9}]
"""


@pytest.fixture
def run(tmp_path):
    run = MADE.prepare(tmp_path / "compare")
    text = run.study.read_text()
    run.study.write_text('note = "of a study"\n' + text[: text.index("[budget]")] + CANDIDATES)
    return run


def answer(run, key, step, share=1.0, done=True):
    folder = run.candidate(key, step)
    folder.path.mkdir(parents=True, exist_ok=True)
    # Where a candidate was alone, its last checkpoint stood at 1.
    rows = [json.loads(line) for line in MADE.rows("branch-0", 0, 2)]
    rows = [{**row, "branch": key, "step": step, "fraction": 1.0} for row in rows]
    folder.results.write_text("".join(json.dumps(row) + "\n" for row in rows[: round(share * len(rows))]))
    if done:
        folder.done.write_text('{"asked": {}, "chat_template": null}')


def test_a_comparison_is_followed_from_its_first_answer_on(run):
    follower = Follower(run.path)
    with only_one(run):
        answer(run, "init", 0)
        answer(run, "tuned", 4, share=0.5, done=False)
        follower.look()
        board = follower.board.since()
        assert board["run"]["state"]["state"] == "running"
        head = board["run"]["head"]
        # The note of the study file speaks of the branches of the study.
        assert (head["kind"], head["noun"], head["note"]) == ("comparison", "model", None)
        before, after = board["branches"]["init-seed0"], board["branches"]["tuned-seed0"]
        assert (before["state"], before["fraction"]) == ("done", 1.0)
        assert (after["state"], after["fraction"]) == ("running", 0.25)
        answer(run, "tuned", 4)
        answer(run, "tuned", 12)
        follower.look()
    board = whole_board(run.path).since()
    assert board["run"]["state"]["state"] == "done"
    line = board["success"]["tuned|id|sampled|success"]
    assert (line["step"], line["fraction"], line["flops"]) == ([4.0, 12.0], [1 / 3, 1.0], [1e9, 3e9])
    assert "curves" not in board
    assert board["success"] == follower.board.since()["success"]


def test_the_time_to_the_end_follows_from_answers_and_a_failure_has_its_log(run):
    answer(run, "init", 0)
    answer(run, "tuned", 4, share=0.5, done=False)
    seconds = {"before": 40.0, "after at step 4": 10.0}
    states = {"before": "done", "after at step 4": "running", "after at step 12": "waiting"}
    write_text(run.states, json.dumps(Standing(states, seconds).record()))
    follower = Follower(run.path)
    with only_one(run):
        follower.look()
        after = follower.board.get("branches", "tuned-seed0")
        # A quarter of its answers took 10 seconds.
        assert (after["state"], after["seconds"], after["left"]) == ("running", 10.0, 30.0)
        run.candidate("tuned", 4).log.write_text("shiftgym.errors.ConfigError: too large\n")
        write_text(run.states, json.dumps(Standing({**states, "after at step 4": "failed"}, seconds).record()))
        follower.look()
        after = follower.board.get("branches", "tuned-seed0")
        assert (after["state"], after["message"], after["left"]) == ("failed", "too large", None)
        assert follower.board.get("logs", "tuned-seed0")


def test_the_last_episodes_of_every_checkpoint_are_read_once(run, monkeypatch):
    for step in (4, 12):
        answer(run, "tuned", step)
        records = [{**record, "branch": "tuned", "step": step} for record in MADE.episodes("branch-0", 0, range(1))]
        write_lines(run.candidate("tuned", step).evaluation_episodes, records)
    follower, read = Follower(run.path), []
    monkeypatch.setattr(episodes, "last_lines", lambda *given: (read.append(given), last_lines(*given))[1])
    for _ in range(2):
        follower.look()
    assert len(read) == 2
    assert {value["step"] for value in follower.board.since()["episodes"].values()} == {4, 12}


def test_a_candidate_that_joins_later_is_followed_too(run):
    answer(run, "init", 0)
    follower = Follower(run.path)
    follower.look()
    text = run.study.read_text()
    run.study.write_text(text + '[candidates.late]\nlabel = "late"\ncheckpoints = [{step = 3, source = "c"}]\n')
    heard = follower.board.version
    follower.look()
    assert follower.board.since()["branches"].keys() == {"init-seed0", "tuned-seed0", "late-seed0"}
    assert follower.board.since(heard)["branches"]["late-seed0"]["state"] == "waiting"


def test_answers_that_are_given_anew_replace_the_old_ones(run):
    answer(run, "init", 0)
    answer(run, "tuned", 4)
    follower = Follower(run.path)
    follower.look()
    before = follower.board.get("success", "init|id|sampled|success")
    folder = run.candidate("init", 0)
    rows = [json.loads(line) for line in folder.results.read_text().splitlines()]
    folder.results.unlink()
    folder.results.write_text("".join(json.dumps({**row, "success": 0.0}) + "\n" for row in rows[:4]))
    while follower.look():
        pass
    after = follower.board.get("success", "init|id|sampled|success")
    assert before["value"] != after["value"] == [0.0]


def test_old_answers_to_more_than_is_asked_now_are_left_out(run):
    answer(run, "init", 0)
    text = run.study.read_text()
    run.study.write_text(text.replace("problems = 4", "problems = 2"))
    line = whole_board(run.path).get("success", "init|id|sampled|success")
    assert line["problems"] == 2
    assert RunFolder(run.path).results.is_file() is False
