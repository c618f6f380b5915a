"""From played episodes to what is learned."""

import pytest

from shiftgym.episodes import Attempt, DecisionRecord, Episode
from shiftgym.models.conversation import Conversation
from shiftgym.training.rollouts import summary, weighted
from shiftgym.verdicts import Verdict

TWICE = Conversation([*range(9)], [(1, 3), (5, 8)])
ONCE = Conversation([*range(4)], [(2, 4)])


def test_every_token_of_an_answer_has_the_advantage_of_its_attempt() -> None:
    first, second = weighted([TWICE, ONCE], [0.5, -1.0, 2.0], [3.0, 4.0, 5.0])
    assert first.weights == [0.5, 0.5, -1.0, -1.0, -1.0]
    assert second.weights == [2.0, 2.0]
    assert (first.returns, second.returns) == ([3.0, 4.0], [5.0])
    assert (first.ids, first.spans) == (TWICE.ids, TWICE.spans)


def test_without_a_critic_there_are_no_returns() -> None:
    assert [each.returns for each in weighted([TWICE, ONCE], [0.5, -1.0, 2.0])] == [[], []]


def test_an_attempt_without_an_advantage_is_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        weighted([TWICE, ONCE], [0.5, -1.0])


def test_an_iteration_is_summed_up() -> None:
    def attempt(tokens: int, *, correct: bool) -> Attempt:
        verdict = Verdict("correct" if correct else "wrong", 5.0 if correct else -1.0, "", correct)
        return Attempt("", verdict, tokens, "end")

    solved = Episode(None, [DecisionRecord(None, [attempt(2, correct=True)])])
    late = Episode(None, [DecisionRecord(None, [attempt(3, correct=False), attempt(3, correct=True)])])
    failed = Episode(None, [DecisionRecord(None, [attempt(4, correct=False), attempt(8, correct=False)])])
    assert summary([solved, late, failed]) == pytest.approx(
        {
            # Running out of attempts costs 1 more.
            "reward": (5 + 4 - 3) / 3,
            "success": 2 / 3,
            "success_1": 1 / 3,
            "attempts": 5 / 3,
            "answer_tokens": 4.0,
        }
    )
