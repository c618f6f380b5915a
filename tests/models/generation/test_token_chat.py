"""What both ways to read conversations have in common."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.token_chat import OpenConversation, TokenChat, TokenPolicy

SAID = [40, 41, 42]


class Echo(TokenChat):
    """Says the same tokens to everything, as far as there is room."""

    def _generate(
        self, rows: Sequence[int], talks: Sequence[OpenConversation]
    ) -> tuple[list[list[int]], list[list[float]]]:
        self.read = [talk.ids[talk.cached :] for talk in talks]
        self.noise = self._noise(rows)
        said = [SAID[:room] for room in self._rooms(talks)]
        return said, [[-1.0] * len(each) for each in said]


def echo(tiny: Any, texts: list[str], *, temperature: float = 1.0, positions: int | None = None) -> Echo:
    model, tokenizer = tiny
    policy = TokenPolicy(
        model, ChatFormat(tokenizer, model.generation_config), temperature=temperature, max_new_tokens=8, seed=3
    )
    if positions is not None:
        policy.positions = positions
    return Echo(policy, [[user(text)] for text in texts], [["test", text] for text in texts])


def test_transcripts_hold_all_tokens_with_the_spans_of_answers(tiny_llama: Any) -> None:
    chat = echo(tiny_llama, ["K", "Try"])
    chat_format = ChatFormat(tiny_llama[1], tiny_llama[0].generation_config)
    feedback = [user("No.")]
    first = chat.reply([0, 1], [[], []])
    assert [(each.tokens, each.stop) for each in first] == [(3, "length")] * 2
    chat.reply([1], [feedback])
    one, two = chat.transcripts()
    start = len(chat_format.prompt([user("K")]))
    assert one.ids == [*chat_format.prompt([user("K")]), *SAID]
    assert (one.spans, one.logprobs) == ([(start, start + 3)], [[-1.0] * 3])
    assert two.ids == [*chat_format.prompt([user("Try")]), *SAID, *chat_format.reply(feedback, SAID[-1]), *SAID]
    assert [two.ids[slice(*span)] for span in two.spans] == [SAID, SAID]
    assert chat.read == [[SAID[-1], *chat_format.reply(feedback, SAID[-1])]], (
        "read anew: the last token and what follows"
    )


def test_noise_is_named_by_decision_and_attempt_never_by_row(tiny_llama: Any) -> None:
    together, alone = echo(tiny_llama, ["K", "Try"]), echo(tiny_llama, ["Try"])
    together.reply([0, 1], [[], []])
    alone.reply([0], [[]])
    assert torch.equal(together.noise[1], alone.noise[0])
    first = alone.noise
    alone.reply([0], [[user("No.")]])
    assert not torch.equal(first, alone.noise)
    greedy = echo(tiny_llama, ["K"], temperature=0)
    greedy.reply([0], [[]])
    assert torch.equal(greedy.noise, torch.zeros(1, 8))


@pytest.mark.parametrize(("room", "stops"), [(2, ["length", "too_long"]), (0, ["too_long", "too_long"])])
def test_what_has_no_room_is_too_long(tiny_llama: Any, room: int, stops: list[str]) -> None:
    length = len(ChatFormat(tiny_llama[1]).prompt([user("K")]))
    chat = echo(tiny_llama, ["K"], positions=length + room)
    answers = [chat.reply([0], [[]])[0], chat.reply([0], [[user("No.")]])[0]]
    assert [each.stop for each in answers] == stops
    (transcript,) = chat.transcripts()
    assert transcript.ids[transcript.spans[0][0] :] == SAID[:room]
    assert len(transcript.ids) == (length + room if room else 1), "one token stands for a prompt that does not fit"
