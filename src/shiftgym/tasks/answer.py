"""Reading the answer out of a model's text, in the form that the prompt asks for.

As `json` the answer is the first JSON object in the text. Small slips are tolerated because they say nothing about the
task: code fences, prose around the object, single quotes, trailing commas, bare words as strings. As `lines` it is one
line a field, as in `formula: 1 + 2`.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

MAX_TEXT = 8000
"""Characters of an answer that are read; an object that is not complete by then is not found."""

_MAX_STARTS = 20
_MAX_DEPTH = 4
_JSON = json.JSONDecoder(strict=False)
_BLANK = re.compile(r"\s*")
_BARE = re.compile(r"[A-Za-z0-9_.+-]+")
_STRINGS = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "\"'"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


Form = Literal["json", "lines"]
"""How an answer is written."""

_LINE = re.compile(r"^[ \t]*([a-z]+)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class _Unreadable(Exception):
    pass


def read_fields(text: str, form: Form, lists: Collection[str] = ()) -> dict[str, Any] | None:
    """The fields of an answer, or None where there are none. Takes bounded time and never raises.

    Args:
        lists: fields that hold a list; in lines its items stand between blanks, whole numbers read as such.
    """
    if form == "json":
        return read_object(text)
    found: dict[str, Any] = {}
    for name, value in _LINE.findall(text[:MAX_TEXT]):
        items = [int(item) if re.fullmatch(r"-?[0-9]{1,9}", item) else item for item in value.split()]
        found.setdefault(name, items if name in lists else value)
    return found or None


def write_fields(fields: Mapping[str, Any], form: Form) -> str:
    """An answer with these fields."""
    if form == "json":
        return json.dumps(fields)
    lines = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in fields.items()}
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def read_object(text: str) -> dict[str, Any] | None:
    """The first object in `text`, or None. Takes bounded time and never raises."""
    text = text[:MAX_TEXT]
    start = text.find("{")
    for _ in range(_MAX_STARTS):
        if start < 0:
            return None
        try:
            found, _ = _JSON.raw_decode(text, start)
            return found  # type: ignore[no-any-return]  # it starts with a brace
        except (ValueError, RecursionError):
            pass
        try:
            return _object(text, start, 0)[0]
        except _Unreadable:
            start = text.find("{", start + 1)
    return None


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    result: dict[str, Any] = {}
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        key, at = _scalar(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise _Unreadable
        result[str(key)], at = _value(text, _skip(text, at + 1), depth + 1)
        at = _comma(text, at, "}")
    return result, at + 1


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    result: list[Any] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        item, at = _value(text, at, depth + 1)
        result.append(item)
        at = _comma(text, at, "]")
    return result, at + 1


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > _MAX_DEPTH:
        raise _Unreadable
    if text[at : at + 1] == "{":
        return _object(text, at, depth)
    if text[at : at + 1] == "[":
        return _list(text, at, depth)
    return _scalar(text, at)


def _scalar(text: str, at: int) -> tuple[Any, int]:
    quoted = _STRINGS.get(text[at : at + 1])
    match = quoted.match(text, at) if quoted else None
    if match:
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), match.end()
    match = _BARE.match(text, at)
    if not match:
        raise _Unreadable
    word = match[0]
    if re.fullmatch(r"-?[0-9]{1,9}", word):
        return int(word), match.end()
    return _WORDS.get(word, word), match.end()


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _comma(text: str, at: int, end: str) -> int:
    """Past the comma that must stand between two items; a comma before the end is tolerated."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1)
    if text[at : at + 1] != end:
        raise _Unreadable
    return at
