from shiftgym.training.order import training_order


def test_every_epoch_sees_each_problem_once_in_another_order() -> None:
    first, second = list(training_order(0, "train", 50, 0, 50)), list(training_order(0, "train", 50, 50, 50))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_steps_continue_where_the_last_one_ended() -> None:
    whole = list(training_order(3, "train", 7, 0, 20))
    assert [*training_order(3, "train", 7, 0, 6), *training_order(3, "train", 7, 6, 14)] == whole


def test_seeds_and_splits_have_orders_of_their_own() -> None:
    orders = [
        list(training_order(seed, split, 50, 0, 50)) for seed, split in ((0, "train"), (1, "train"), (0, "other"))
    ]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_without_a_fixed_set_no_problem_returns() -> None:
    assert list(training_order(0, "train", None, 128, 4)) == [128, 129, 130, 131]
