import pytest

from shiftgym.following.left import Pace, run_left, time_left


def pace(name="a", state="running", fraction=0.0, training=0.0, seconds=None, evaluated=0, checkpoints=4, start=False):
    seconds = training if seconds is None else seconds
    return Pace(name, state, fraction, seconds, training, evaluated, checkpoints, start)


def test_what_is_left_takes_as_long_as_what_was_done():
    (left,) = time_left([pace(fraction=0.25, training=100.0, seconds=100.0, evaluated=1)])
    assert left == 300.0


def test_each_evaluation_that_is_to_come_takes_as_long_as_those_before():
    # Two checkpoints took 40 seconds beside training; two are to come.
    (left,) = time_left([pace(fraction=0.5, training=100.0, seconds=140.0, evaluated=2)])
    assert left == 100.0 + 2 * 20.0


def test_a_branch_without_an_evaluation_learns_from_the_others():
    left = time_left(
        [
            pace("a", "done", 1.0, training=80.0, seconds=120.0, evaluated=4),
            pace("b", fraction=0.5, training=50.0, seconds=50.0),
        ]
    )
    assert left == [0.0, 50.0 + 4 * 10.0]


def test_a_branch_that_has_not_begun_takes_as_long_as_its_other_seeds():
    left = time_left(
        [
            pace("init", "done", 1.0, training=1.0, start=True),
            pace("a", "done", 1.0, training=100.0, evaluated=4),
            pace("b", "running", 0.5, training=150.0),
            pace("a", "waiting"),
            pace("b", "waiting"),
            pace("c", "waiting"),
            pace("init", "waiting", start=True),
        ]
    )
    assert left == [0.0, 0.0, 150.0, 100.0, 300.0, 200.0, 1.0]


def test_what_was_stopped_or_failed_says_nothing_of_the_others():
    left = time_left(
        [
            pace("a", "stopped", 0.1, training=5.0),
            pace("a", "failed", 0.1, training=5.0),
            pace("a", "waiting"),
        ]
    )
    assert left == [0.0, 0.0, None]


def test_before_the_first_step_nothing_is_known():
    assert time_left([pace(state="running"), pace(state="waiting")]) == [None, None]
    assert run_left([pace()], [None], 2) is None


@pytest.mark.parametrize(("workers", "seconds"), [(1, 370.0), (2, 250.0), (3, 200.0), (9, 200.0)])
def test_branches_that_wait_are_begun_by_the_worker_that_is_free_first(workers, seconds):
    paces = [pace(state="waiting"), pace(state="done"), pace(state="running"), pace(state="waiting")]
    assert run_left(paces, [50.0, 0.0, 120.0, 200.0], workers) == seconds
