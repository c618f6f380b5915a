"""What is learned from, in tokens."""

from shiftgym.models.conversations.conversation import Conversation


def test_answer_tokens_are_those_of_all_attempts() -> None:
    assert Conversation(list(range(12)), [(2, 5), (8, 12)]).answer_tokens == 7
    assert Conversation([1, 2], []).answer_tokens == 0
