import json

import pytest
from tests.following.made import Made

from shiftgym.errors import DataError
from shiftgym.following.board import Board
from shiftgym.following.declaration import read_declaration
from shiftgym.following.episodes import NEWEST, NewestEpisodes, entry, problem
from shiftgym.following.lines import parsed
from shiftgym.layout import BranchFolder
from shiftgym.tasks.walk import decisions

MADE = Made(branches=1, seeds=1)


@pytest.fixture
def declared(tmp_path):
    return read_declaration(MADE.prepare(tmp_path / "run").path)


@pytest.fixture
def branch(tmp_path):
    return BranchFolder(tmp_path / "branch-0-seed0")


def look(newest, branch):
    newest.look([(branch.path, branch.evaluation_episodes), (branch.path / "none", branch.path / "none" / "none")])


def steps(board):
    return [episode["step"] for episode in board.since().get("episodes", {}).values()]


def test_an_episode_has_what_a_reader_needs(declared):
    (record, *_) = MADE.episodes("branch-0", 0, range(1))
    key, shown = entry(declared, record)
    assert key == "branch-0-seed0|4|id|sampled|0"
    assert shown["checkpoint"] == "33.33 % of budget"
    assert shown["decisions"] == [[['{"formula": "1 + 2"}', "correct", 5.0, "", 50, "end"]]]
    assert {name: shown[name] for name in ("branch", "seed", "step", "split", "decoding", "problem")} == {
        **{name: record[name] for name in ("branch", "seed", "step", "split", "decoding")}, "problem": 0
    }  # fmt: skip


def test_at_first_the_last_checkpoint_is_shown_and_then_what_comes(declared, branch):
    newest = NewestEpisodes(declared, board := Board())
    look(newest, branch)
    assert steps(board) == []
    MADE.write_branch(branch, "branch-0", 0, 2)
    look(newest, branch)
    assert steps(board) == [8] * 16
    version = board.version
    look(newest, branch)
    assert board.version == version
    MADE.write_branch(branch, "branch-0", 0, 3)
    look(newest, branch)
    assert steps(board) == [8] * 16 + [12] * 16


def test_only_the_newest_stay(declared, branch):
    newest = NewestEpisodes(declared, board := Board())
    many = Made(branches=1, seeds=1, checkpoints=NEWEST // 16 + 3)
    for checkpoints in range(1, many.checkpoints + 1):
        many.write_branch(branch, "branch-0", 0, checkpoints)
        look(newest, branch)
    shown = steps(board)
    assert len(shown) == NEWEST and shown == sorted(shown) and shown[-1] == 4 * many.checkpoints
    assert len(board.since(1)["episodes"]) == 16 * many.checkpoints, "removals are told too"


def test_a_problem_is_shown_as_its_task_states_and_draws_it(declared):
    shown = problem(declared, "id", 1)
    task = declared.task
    prompts = [decision.prompt for decision in decisions(task, task.problem("id", 1))]
    assert shown == {"prompts": [prompt[0]["content"] for prompt in prompts], "pictures": [[]], "map": None}
    json.dumps(shown)


@pytest.mark.parametrize(("split", "index"), [("train", 0), ("id", MADE.problems), ("id", -1), ("<b>", 0)])
def test_a_problem_that_is_not_evaluated_is_refused(declared, split, index):
    with pytest.raises(DataError, match="has no problem"):
        problem(declared, split, index)


@pytest.mark.slow
def test_a_route_has_a_picture_a_decision_and_a_map(tmp_path):
    study = MADE.study().replace('name = "points"', 'name = "navigation"\nmodality = "vision"\nsize = 96')
    for rule in ("faces_as_ten", "faces_as_11_12_13"):
        study = study.replace(rule, "absolute")
    (tmp_path / "study.toml").write_text(study.replace('hands = "test"', 'routes = "test"'))
    shown = problem(read_declaration(tmp_path), "id", 0)
    assert len(shown["prompts"]) == len(shown["pictures"]) > 1
    assert all(url.startswith("data:image/png;base64,") for (url,) in shown["pictures"])
    assert shown["map"].startswith("<svg")


def test_half_a_pair_of_surrogates_does_no_harm(declared):
    (record, *_) = MADE.episodes("branch-0", 0, range(1))
    record["decisions"][0]["attempts"][0]["answer"] = "\ud83d"
    _, shown = entry(declared, parsed(json.dumps(record).encode()))
    json.dumps(shown, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("key", "value"),
    [("reward", "5"), ("success", "yes"), ("decisions", 3), ("seed", {}), ("problem", []), ("step", None)],
)
def test_an_episode_of_other_types_is_refused(declared, key, value):
    (record, *_) = MADE.episodes("branch-0", 0, range(1))
    with pytest.raises(DataError, match="none of a run"):
        entry(declared, record | {key: value})


@pytest.mark.parametrize(("key", "value"), [("outcome", None), ("tokens", "50"), ("reward", "5"), ("feedback", 3)])
def test_an_attempt_of_other_types_is_refused(declared, key, value):
    (record, *_) = MADE.episodes("branch-0", 0, range(1))
    record["decisions"][0]["attempts"][0][key] = value
    with pytest.raises(DataError, match="none of a run"):
        entry(declared, record)


def test_of_long_episodes_fewer_are_shown(declared, branch, monkeypatch):
    MADE.write_branch(branch, "branch-0", 0, 2)
    size = max(map(len, branch.evaluation_episodes.read_bytes().splitlines()))
    monkeypatch.setattr("shiftgym.following.episodes.ROOM", 3 * size)
    newest = NewestEpisodes(declared, board := Board())
    look(newest, branch)
    assert len(steps(board)) == 3
