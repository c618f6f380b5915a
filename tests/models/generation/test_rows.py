"""The answers of a batch while they are written."""

import pytest
import torch

from shiftgym.errors import TrainingStopped
from shiftgym.models.generation.rows import Rows

STOPS = torch.tensor([0, 3])


def rows(count: int, room: list[int]) -> Rows:
    """Answers in the first of `count` rows, with so many tokens of room each."""
    made = Rows.empty(count, 6, torch.device("cpu"))
    size = len(room)
    made.tokens.fill_(3)
    # Of five tokens that are equally likely this noise takes the third, which ends nothing.
    noise = torch.linspace(0.45, 0.55, size)[:, None].expand(size, 5)
    made.begin(torch.arange(10, 10 + size), torch.tensor(room), torch.zeros(size).long(), noise)
    return made


def write(to: Rows, tokens: list[int]) -> None:
    """Sample exactly these tokens."""
    to.write(torch.nn.functional.one_hot(torch.tensor(tokens), 5) * 100.0, 1.0, STOPS)


def test_an_answer_ends_with_a_stop_or_where_there_is_no_more_room() -> None:
    answers = rows(5, [6, 6, 2])
    assert answers.tokens.eq(0).all(), "nothing of an earlier batch is left"
    living = []
    for tokens in ([1, 3, 2, 1, 1], [2, 1, 2, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]):
        write(answers, tokens)
        living.append(answers.living())
    assert living == [2, 1, 1, 0], "rows of padding write nothing"
    assert answers.tokens[0].tolist() == [1, 2, 1, 0, 0, 0]
    assert answers.logprobs[:3, :4].abs().max() < 1e-4


def test_rows_change_places_with_all_that_is_theirs() -> None:
    answers = rows(4, [6, 5, 4])
    write(answers, [1, 2, 4, 1])
    before = [answers.position.tolist(), answers.noise.clone()]
    answers.swap(torch.tensor([0]), torch.tensor([2]))
    assert answers.order.tolist() == [2, 1, 0, 3]
    assert answers.token[:3].tolist() == answers.tokens[:3, 0].tolist() == [4, 2, 1]
    assert answers.room.tolist() == [4, 5, 6, 0]
    assert answers.position[:3].tolist() == before[0][:3][::-1]
    assert torch.equal(answers.noise[0], before[1][2])


def test_the_front_is_a_view() -> None:
    answers = rows(4, [6, 6, 6, 6])
    write(answers, [1, 1, 1, 1])
    write(answers.front(2), [2, 3])
    assert answers.tokens[:, 1].tolist() == [2, 3, 0, 0]
    assert (answers.number.item(), answers.living()) == (2, 3)


def test_a_logit_that_is_not_finite_counts_only_where_an_answer_is_written() -> None:
    answers = rows(3, [6, 1])
    answers.noise.fill_(0.5)  # among even logits this draws token 2, which is no stop
    write(answers, [1, 1, 1])
    damaged = torch.zeros(3, 5)
    damaged[1:] = torch.nan
    answers.write(damaged, 1.0, STOPS)
    assert answers.living() == 1
    damaged[0] = torch.nan
    answers.write(damaged, 1.0, STOPS)
    write(answers, [1, 1, 1])
    with pytest.raises(TrainingStopped, match="a logit is not finite"):
        answers.living()
