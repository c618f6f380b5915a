"""What has to be there at the same time."""

from dataclasses import replace

from shiftgym.training.footprint import Footprint, Held, OverRanks

HELD = Held(weights=20, copies=1, gradients=2, optimizer=4)
RANKS = OverRanks(copies=10, whole=30, layers=7, stepped=0)
ONE = Footprint(
    shared=HELD, own=Held(), over_ranks=RANKS, activations=30, logits=5, one=6, row=3, iteration=10, batch=2
)


def test_a_step_holds_the_pass_and_then_the_optimizers_own_copy() -> None:
    assert ONE.held == 25
    assert ONE.learning == 25 + 2 + 35
    assert replace(ONE, activations=0, logits=0).learning == 25 + 2 + 2


def test_answers_are_as_many_as_there_is_room_for() -> None:
    assert [ONE.rows_within(memory) for memory in (0, 25, 31, 40, 1000)] == [1, 1, 2, 5, 10]
    assert ONE.peak(1000) == 62
    assert replace(ONE, row=9).peak(1000) == 25 + 90
    assert replace(ONE, batch=50).rows_within(1000) == 50, "the evaluation asks more at the same time"


def test_the_least_is_one_conversation_and_one_decision() -> None:
    assert ONE.least == 25 + 2 + 6
    assert replace(ONE, row=50).least == 75


def test_ranks_divide_what_is_shared_and_have_their_own_whole() -> None:
    four = replace(ONE, own=Held(weights=3, copies=3, gradients=3, optimizer=6)).over(4)
    assert four.parts == Held(weights=5 + 3, copies=3 + 3, gradients=1 + 3, optimizer=1 + 6), "parts are rounded up"
    assert four.held == 8 + 6 + 7
    assert four.learning == 21 + 4 + 35 + 7, "layers are gathered while a pass runs"
    idle = replace(four, activations=0, logits=0, over_ranks=replace(RANKS, layers=0))
    assert idle.learning == 21 + 4 + 4
    stepped = replace(idle, over_ranks=replace(RANKS, layers=0, stepped=20))
    assert stepped.learning == 21 + 4 + 4 + 5
    assert stepped.over(1).learning == idle.over(1).learning, "one rank has all of it anyway"


def test_a_rank_answers_its_part_with_the_whole_weights() -> None:
    four = ONE.over(4)
    assert (ONE.gathered, four.gathered) == (0, 30)
    assert four.rows_within(1000) == 3, "ten decisions over four ranks"
    assert ONE.over(8).rows_within(1000) == 2, "each rank has its own batches of the evaluation"
    assert [four.rows_within(memory) for memory in (0, 42, 45)] == [1, 1, 2]
    assert replace(four, activations=0, logits=0, over_ranks=replace(RANKS, layers=0)).peak(1000) == 9 + 30 + 9
    assert replace(four, row=50).least == 9 + 30 + 50
    assert four.over(1) == ONE


def test_with_more_ranks_a_branch_never_needs_more_of_each() -> None:
    for one in (ONE, replace(ONE, own=HELD), replace(ONE, row=100)):
        least = [one.over(2**power).least for power in range(1, 8)]
        assert least == sorted(least, reverse=True)
