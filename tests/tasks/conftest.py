"""A reader of answers that shares nothing with the package, and texts of every kind to read."""

import gc
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

OPENING = ("<think>", "<Thinking>", "<seed:think>", "[THINK]", "<|begin_of_thought|>", "◁think▷", "<|START_THINKING|>")
CLOSING = ("</think>", "</Thinking>", "</seed:think>", "[/THINK]", "<|end_of_thought|>", "◁/think▷", "<|END_THINKING|>")

BLANK = " \n\t\r"
WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


def _scalar(text: str, at: int) -> tuple[Any, int] | None:
    """A string without escapes but for quotes and backslashes, a number or a bare word."""
    quote = text[at : at + 1]
    if quote in ("'", '"'):
        read, at = "", at + 1
        while at < len(text):
            if text[at] == quote:
                return read, at + 1
            if text[at] == "\\":
                at += 1
            read, at = read + text[at : at + 1], at + 1
        return None
    end = at
    while end < len(text) and ((text[end].isascii() and text[end].isalnum()) or text[end] in "_.+-…"):
        end += 1
    word = text[at:end]
    if not word:
        return None
    if re.fullmatch("-?[0-9]+", word):
        return int(word), end
    return WORDS.get(word, word), end


def _blank(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in BLANK:
        at += 1
    return at


def _container(text: str, at: int, depth: int) -> tuple[Any, int] | None:
    is_object = text[at] == "{"
    items: Any = {} if is_object else []
    at = _blank(text, at + 1)
    while text[at : at + 1] != ("}" if is_object else "]"):
        if is_object:
            name = _scalar(text, at)
            if name is None or text[(at := _blank(text, name[1])) : at + 1] != ":":
                return None
            at = _blank(text, at + 1)
        value = _scalar(text, at)
        if text[at : at + 1] in ("{", "["):
            value = _container(text, at, depth - 1) if depth > 1 else None
        if value is None:
            return None
        if is_object:
            items[str(name[0])] = value[0]
        else:
            items.append(value[0])
        at = _blank(text, value[1])
        if text[at : at + 1] == ",":
            at = _blank(text, at + 1)
        elif text[at : at + 1] not in ("]", "}"):
            return None
    return items, at + 1


def _holders(value: Any, field: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and field in value:
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _holders(inner, field)
    elif isinstance(value, list):
        for inner in value:
            yield from _holders(inner, field)


def _read(text: str, field: str) -> dict[str, Any] | None:
    """The answer by the letter of the rule, character by character, at most 12 levels deep, which none of
    `_texts` exceeds; of tags it knows `OPENING` and `CLOSING`."""
    small = text.lower()
    text = text[max([small.rfind(tag.lower()) + len(tag) for tag in CLOSING if tag.lower() in small], default=0) :]
    small = text.lower()
    text = text[: min([small.find(tag.lower()) for tag in OPENING if tag.lower() in small], default=len(text))]
    answer, at = None, 0
    while at < len(text):
        complete = _container(text, at, 12) if text[at] in "{[" else None
        if complete is None:
            at += 1
            continue
        for holder in _holders(complete[0], field):
            if not (isinstance(holder[field], str) and holder[field].strip() in ("...", "…")):
                answer = holder
        at = complete[1]
    return answer


@pytest.fixture(scope="session")
def independent_reader() -> Callable[[str, str], dict[str, Any] | None]:
    return _read


FRAGMENTS = (
    *OPENING, *CLOSING, *'{}[]",:\\\'', "\n", " ", "```json\n", "```", "5", "null", "it's ", "…", "...", "So: ", '{"',
    "['",     '": "', '", "', "FIELD", '"FIELD": ', "'FIELD': ", '{"FIELD": "...", "a": [...]}', '{"steps": "{',
    '{"a": {"b": [', '{"a": [[{"b": {"c": [[', "]]}}]]}",
    '"}', '"}]}', "]}", '{"FIELD": null}', '{"FIELD": [1]}', '{"note": "{\'FIELD\': \'x\'}"}',
)  # fmt: skip


def _texts(field: str, values: list[str], stream: random.Random, count: int) -> Iterator[str]:
    """Texts of up to 500 characters around answers with these values."""
    pieces = [fragment.replace("FIELD", field) for fragment in FRAGMENTS]
    whole = [f'{{"{field}": "{value}"}}' for value in values]
    whole += [f"{{'a': [5, '{{', x,], '{field}': '{value}',}}" for value in values]
    whole += [f'{{"answer": [{{"{field}": "{value}", "b": {{}}}}]}}' for value in values]
    for _ in range(count):
        parts = stream.choices(pieces, k=stream.randint(0, 25))
        for _ in range(stream.randint(0, 3)):
            parts.insert(stream.randint(0, len(parts)), stream.choice(whole + values))
        yield "".join(parts)[: stream.choice((500, 500, stream.randint(0, 500)))]


def _long_texts(field: str, answer: str, stream: random.Random, count: int) -> Iterator[str]:
    """Texts of 100,000 characters that are hard to read, half of them with the answer at their end."""
    units = [
        "{", "[", '"', "'", "\\", "{}", "[]", '{"', "{'", '{"a":', "{a:", "{a:{a:1}}", '{"a": 1}', '{"a": [', "[[1],",
        "[1,",         "[{", "[[[[[]]]]]", '{"FIELD": ', '{"FIELD": "..."}', '{"FIELD": "1"}', '{"FIELD": {}}',
        "{FIELD:...}", '{"\\',
        "FIELD",         '{"a":"{\'b\':\'', "{'a': '", "<think>", "</think>", "<", "</", "<|", "[/think", "◁",
        "<|channel|>", "<a:",
        "\n", " ",         "FIELD: ", "a: b\n", "a:  ", "FIELD: ...\n", '"FIELD": [[', "{a:[{FIELD:1}]}", "{8, ",
        '{"a": "x", ', "[/",
        "end_of_",
    ]  # fmt: skip
    for number in range(count):
        unit = units[number] if number < len(units) else "".join(stream.choices(units, k=stream.randint(2, 6)))
        end = answer if number % 2 else ""
        yield (unit.replace("FIELD", field) * 100_000)[: 100_000 - len(end)] + end


@pytest.fixture(scope="session")
def texts() -> Callable[[str, list[str], random.Random, int], Iterator[str]]:
    return _texts


@pytest.fixture(scope="session")
def long_texts() -> Callable[[str, str, random.Random, int], Iterator[str]]:
    return _long_texts


def _soon(call: Callable[[], object]) -> bool:
    """Whether a call takes under 50 ms of our own processor time; a busy machine gets twenty tries. The garbage
    collector waits, since how much it has to do depends on what else is in the process."""

    def seconds() -> float:
        started = time.thread_time()
        call()
        return time.thread_time() - started

    gc.disable()
    try:
        return any(seconds() < 0.05 for _ in range(20))
    finally:
        gc.enable()


@pytest.fixture(scope="session")
def soon() -> Callable[[Callable[[], object]], bool]:
    return _soon
