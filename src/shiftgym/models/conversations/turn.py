"""An assistant's turn as a chat template writes it, found by rendering, since every template has its own way."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.template import Template
from shiftgym.tasks.thinking import NAME

QUESTION, ANSWER, THOUGHT = "@question@", "@answer@", "@thought@"
"""Texts that are looked for in what the template writes."""

_FORMS = (
    ("<", ">", "</", ">"),
    ("[", "]", "[/", "]"),
    ("◁", "▷", "◁/", "▷"),
    ("<|", "|>", "<|/", "|>"),
    ("<|START_", "|>", "<|END_", "|>"),
    ("<|begin_of_", "|>", "<|end_of_", "|>"),
    ("<|", "_start|>", "<|", "_end|>"),
)
"""How tags of thinking are written: what stands around the name in an opening and in a closing tag."""
_OPENING, _CLOSING = (
    [re.compile(f"{re.escape(form[at])}({NAME}){re.escape(form[at + 1])}", re.IGNORECASE) for form in _FORMS]
    for at in (0, 2)
)

_TOKENS = {"<|channel>": "<think>", "<channel|>": "</think>"}
"""Tokens of thinking whose names do not tell (Gemma 4)."""

Text = TypeVar("Text", str, list[int])


@dataclass(frozen=True, slots=True)
class Turn:
    """What a template writes around an answer, all of it text."""

    lead: str
    """Added to every rendered prompt: the beginning of an answer, where the template does not write it when asked."""
    tail: str
    """What stands between a question and the answer in a prompt, `lead` included."""
    opening: str
    """The end of a prompt from the tag on that opens thinking. It is `<think>` for a tag whose name does not tell, and
    empty where a prompt does not end inside thinking."""
    closing: str
    """What closes that thinking."""
    header: str
    """What the model writes before the answer, such as the name of a channel. It follows `tail` and `closing`."""
    after: str
    """What stands after the last answer of a conversation."""
    followed: str
    """What stands between an answer and the end of the prompt that follows it."""
    thought: tuple[str, str] | None
    """What stands before a thought, and between a thought and the answer; None where the template writes none."""


def read_turn(template: Template, question: Mapping[str, Any], answer: Mapping[str, Any]) -> Turn:
    """The assistant's turn in this template.

    Args:
        question, answer: messages whose texts are `QUESTION` and `ANSWER`.

    Raises:
        ConfigError: the template refuses a question, an answer and a question, or leaves the answer out.
    """
    prompt, unasked = (template.render([question], prompt=asked) for asked in (True, False))
    past = template.render([question, answer, question], prompt=True)
    last = _allowed(template, [question, answer])
    before, found, after = (past if last is None else last).partition(ANSWER)
    if not found:
        raise ConfigError(
            f"the chat template of {template.name!r} leaves out what the assistant said; give one that writes it"
        )
    header = before.removeprefix(prompt) if before.startswith(prompt) else ""
    lead = ""
    if prompt == unasked and header.strip():
        # In many vocabularies a blank is a part of the token after it, so it is left to the answer.
        lead = header.rstrip(" ")
        prompt, header = prompt + lead, header.removeprefix(lead)
    start, _, tail = prompt.rpartition(QUESTION)
    opening, close = _open(tail)
    base = start + QUESTION + tail.removesuffix(opening)
    thought = _thought(_allowed(template, [question, _with_thought(answer)]), base)
    if not opening and thought is not None and not thought[0].strip():
        # The prompt ends where a thought would begin, behind a tag of another make.
        opening, close = "<think>", thought[1].strip()
    closing = ""
    if opening:
        closing, header = _closed(opening, close, [thought[1] if thought else "", header])
    after = "" if last is None else after
    return Turn(lead, tail, opening, closing, header, after, past.partition(ANSWER)[2], thought)


def thinking_tag(token: str) -> str | None:
    """The plain tag for a token that opens or closes thinking; None for any other token."""
    if any(form.fullmatch(token) for form in _CLOSING):
        return "</think>"
    return "<think>" if any(form.fullmatch(token) for form in _OPENING) else _TOKENS.get(token)


def common_beginning(one: Text, other: Text) -> Text:
    """The longest text, or list of tokens, that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    size = next((at for at, (mine, yours) in pairs if mine != yours), min(len(one), len(other)))
    return one[:size]


def common_end(one: str, other: str) -> str:
    """The longest text that both end with."""
    return common_beginning(one[::-1], other[::-1])[::-1]


def _open(tail: str) -> tuple[str, str]:
    """The end of a prompt from the tag on that opens thinking, and the tag that would close it. Both are empty if
    nothing is open."""
    tags = zip(_OPENING, _FORMS, strict=True)
    found = [(match, form) for opening, form in tags for match in opening.finditer(tail)]
    if not found:
        return "", ""
    match, form = max(found, key=lambda pair: pair[0].start())
    close = f"{form[2]}{match[1]}{form[3]}"
    return ("", "") if close in tail[match.end() :] else (tail[match.start() :], close)


def _closed(opening: str, close: str, sources: Sequence[str]) -> tuple[str, str]:
    """What closes thinking before an answer, and what the template writes between that and the answer.

    Args:
        sources: what the template may write there. Where none of it closes thinking, an empty line follows the closing
            tag if the opening tag stands on a line of its own, and nothing if it does not.
    """
    for source in sources:
        if close in source:
            end = source.index(close) + len(close)
            end += len(source[end:]) - len(source[end:].lstrip())
            return source[:end], source[end:]
    line = "\n" if opening.endswith("\n") else ""
    return f"{line}{close}{2 * line}", ""


def _with_thought(answer: Mapping[str, Any]) -> dict[str, Any]:
    # Templates read thoughts under one of these names.
    return {**answer, "reasoning_content": THOUGHT, "thinking": THOUGHT}


def _thought(whole: str | None, base: str) -> tuple[str, str] | None:
    """What stands around a thought in `whole`, if that begins with `base`. Else a prompt does not lead to thoughts."""
    if whole is None or not whole.startswith(base) or not 0 <= whole.find(THOUGHT) < whole.find(ANSWER):
        return None
    before, _, rest = whole.removeprefix(base).partition(THOUGHT)
    return before, rest.partition(ANSWER)[0]


def _allowed(template: Template, messages: Sequence[Mapping[str, Any]]) -> str | None:
    """A conversation that ends with an answer; None where the template refuses it."""
    try:
        return template.render(messages, prompt=False)
    except ConfigError:
        return None
