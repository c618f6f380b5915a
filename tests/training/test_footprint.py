"""What has to be there at the same time."""

from dataclasses import replace

from shiftgym.training.footprint import Footprint

ONE = Footprint(weights=20, copies=1, gradients=2, optimizer=4, activations=30, logits=5, one=6, row=3, rows=10)


def test_a_step_holds_the_pass_and_then_the_optimizers_own_copy() -> None:
    assert ONE.held == 25
    assert ONE.learning == 25 + 2 + 35
    assert replace(ONE, activations=0, logits=0).learning == 25 + 2 + 2


def test_answers_are_as_many_as_there_is_room_for() -> None:
    assert [ONE.rows_within(memory) for memory in (0, 25, 31, 40, 1000)] == [1, 1, 2, 5, 10]
    assert ONE.peak(1000) == 62
    assert replace(ONE, row=9).peak(1000) == 25 + 90


def test_the_least_is_one_conversation_and_one_decision() -> None:
    assert ONE.least == 25 + 2 + 6
    assert replace(ONE, row=50).least == 75
