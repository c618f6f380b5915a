"""A conversation about a task as a model reads it: in tokens, of which some are trained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.tasks.base import Decision, Task

UNKNOWN = "\ufffd"
"""What bytes are decoded to that are no whole letter."""

TRIED = 20
"""Problems whose answers are tried as a wrong answer to the first one."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a conversation, or a run of the same that stands for a picture."""

    text: str
    trained: bool
    """Whether it belongs to an answer. Everything else is context."""


def example(chat_format: ChatFormat, task: Task) -> Conversation:
    """Two attempts at the first problem of a task: one that is wrong and told so, and the expert's answer.

    Raises:
        ConfigError: the chat template refuses the conversation, or the task shows pictures that the model cannot see.
    """
    decision = task.start(task.problem(next(iter(task.splits)), 0))
    wrong = _wrong_answer(task, decision)
    prompt = chat_format.prompt(decision.prompt)
    ids = chat_format.prompt(decision.prompt, closed=True)
    # The expert does not think, so what closes thinking stands before its second answer too.
    closing = ids[len(prompt) :]
    spans = []
    for attempt, answer in enumerate((wrong, task.expert(decision))):
        if attempt:
            ids += [*chat_format.reply([user(decision.judge(wrong).feedback)], last=ids[-1]), *closing]
        start = len(ids)
        ids += chat_format.answer(answer)
        spans.append((start, len(ids)))
    return Conversation(ids, spans)


def _wrong_answer(task: Task, decision: Decision) -> str:
    """The expert's answer to another problem, where that is wrong for this one."""
    split = next(iter(task.splits))
    others = (task.expert(task.start(task.problem(split, index))) for index in range(1, TRIED))
    return next((answer for answer in others if not decision.judge(answer).correct), "{}")


def tokens(chat_format: ChatFormat, conversation: Conversation) -> list[Token]:
    """The conversation token by token. Joined, their texts are what the model reads."""
    trained = [False] * len(conversation.ids)
    for start, stop in conversation.spans:
        trained[start:stop] = [True] * (stop - start)
    found: list[Token] = []
    for start, stop in _runs(conversation.ids):
        if conversation.ids[start] < 0:
            found.append(Token(f"<picture of {stop - start} tokens>", trained[start]))
        else:
            texts = _texts(chat_format, conversation.ids[start:stop])
            found += [Token(*pair) for pair in zip(texts, trained[start:stop], strict=True)]
    return found


def _runs(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Start and stop of each stretch of text, and of each stretch of one picture."""
    start = 0
    for at in range(1, len(ids) + 1):
        if at == len(ids) or ((ids[at] < 0 or ids[start] < 0) and ids[at] != ids[start]):
            yield start, at
            start = at


def _texts(chat_format: ChatFormat, ids: Sequence[int]) -> list[str]:
    """The text of each token behind those before it, since in some vocabularies it depends on them. A letter of
    several bytes counts as the text of its last one."""
    before, found = "", []
    for stop in range(1, len(ids) + 1):
        whole = str(chat_format.tokenizer.decode(list(ids[:stop]), clean_up_tokenization_spaces=False))
        unfinished = whole.endswith(UNKNOWN) and stop < len(ids)
        found.append("" if unfinished else whole[len(before) :])
        before = before if unfinished else whole
    return found
