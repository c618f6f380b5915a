"""The tokens that end an answer: at the end of a conversation, in its history, and in generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from transformers import PreTrainedTokenizerBase

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.turn import Turn, common_beginning


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends an answer. A template may write one end behind the last answer and another, or none, behind others."""

    answer: list[int]
    """Tokens at the end of the model's own answer. The last of them ends it."""
    history: list[int]
    """Tokens that the template writes between an answer and the next message, to end the answer; may be empty."""
    stops: set[int]
    """Tokens that stop generation."""


def find_ends(
    tokenizer: PreTrainedTokenizerBase, turn: Turn, *, channel: bool, stops: int | Sequence[int] | None
) -> Ends:
    """The ends of answers in this turn.

    Args:
        channel: the answer has a message of its own, so that what ends every message need not end the answer.
        stops: where the model's generation config stops.

    Raises:
        ConfigError: an answer is not ended by a special token, or by none that ends the answer only.
    """
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}

    def tokens(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    def leading(text: str) -> list[int]:
        """The special tokens that a text begins with. Some templates put a blank between an answer and its end. It was
        not generated, so it is left out."""
        return list(takewhile(lambda token: token in special, tokens(text.lstrip())))

    own, past, question = leading(turn.after), leading(turn.followed), leading(turn.tail)
    common = common_beginning(own, past)
    answer = common or own[:1] or past[:1]
    # A special token that only history has behind an answer may as well begin the next message.
    history = common or (past[:1] if not own or past[:1] == question[:1] else [])
    if not answer:
        end = tokenizer.eos_token
        way = (
            f"let it write {end}" if end else "set an eos_token of its tokenizer, which has none, and let it write that"
        )
        raise ConfigError(
            f"the chat template of {tokenizer.name_or_path!r} ends an answer with no special token, so generation "
            f"could not stop; {way} behind every answer (--chat-template FILE)"
        )
    # What stands between thinking and an answer ends no answer.
    inner = special.intersection(tokens(turn.thought[1] if turn.thought else ""))
    if channel and history != answer:
        inner |= set(history)
    configured = [tokenizer.eos_token_id, *([stops] if isinstance(stops, int) else stops or [])]
    others = [token for token in configured if token is not None and token not in inner]
    if answer[-1] not in inner:
        return Ends(answer, history, {answer[-1], *others})
    if not others:
        raise ConfigError(
            f"the chat template of {tokenizer.name_or_path!r} ends thinking and an answer with the same token; give a "
            "template or an eos_token that ends the answer only"
        )
    return Ends(others[:1], history, set(others))
