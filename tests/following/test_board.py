from shiftgym.following.board import Board


def test_a_reader_gets_only_what_changed_since_it_last_heard():
    board = Board()
    board.put("branches", "ppo-seed0", {"step": 1})
    board.put("branches", "sft-seed0", {"step": 1})
    heard = board.version
    board.put("branches", "ppo-seed0", {"step": 2})
    board.put("branches", "sft-seed0", {"step": 1})
    assert board.since(heard) == {"branches": {"ppo-seed0": {"step": 2}}}
    assert board.since() == {"branches": {"ppo-seed0": {"step": 2}, "sft-seed0": {"step": 1}}}
    assert board.since(board.version) == {}


def test_old_removals_are_forgotten_and_who_would_need_them_is_told(monkeypatch):
    monkeypatch.setattr("shiftgym.following.board.REMOVALS", 2)
    board = Board()
    for key in "abcd":
        board.put("episodes", key, 1)
    heard = board.version
    board.put("episodes", "a", None)
    board.put("episodes", "b", None)
    assert board.reaches(heard) and board.since(heard) == {"episodes": {"a": None, "b": None}}
    board.put("episodes", "a", 2)
    board.put("episodes", "c", None)
    # That of `a` is forgotten, which stands again.
    assert not board.reaches(heard) and board.reaches(heard + 1)
    board.put("episodes", "d", None)
    assert board.since() == {"episodes": {"a": 2}}
    assert board.since(heard + 2) == {"episodes": {"a": 2, "c": None, "d": None}}


def test_everything_is_removed():
    board = Board()
    board.put("run", "state", {})
    board.put("logs", "a", "text")
    heard = board.version
    board.clear()
    assert board.since() == {}
    assert board.since(heard) == {"run": {"state": None}, "logs": {"a": None}}


def test_a_removal_is_told_to_those_who_had_the_value_and_to_no_one_else():
    board = Board()
    board.put("episodes", "old", {"reward": 5.0})
    heard = board.version
    board.put("episodes", "old", None)
    assert board.since(heard) == {"episodes": {"old": None}}
    assert board.since() == {}
    assert board.get("episodes", "old") is None


def test_numbers_that_are_not_finite_never_reach_a_reader():
    board = Board()
    board.put("branches", "a", {"seconds": float("inf"), "last": [10**400, 1]})
    assert board.since() == {"branches": {"a": {"seconds": None, "last": [None, 1]}}}
