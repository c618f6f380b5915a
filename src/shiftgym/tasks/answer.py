"""Reading the answer out of a model's text, in the form that the prompt asks for.

Thinking is dropped first (`tasks/thinking.py`). As `json` the answer is the last complete object that has the answer's
field, such as `formula`. The text is scanned forwards. A complete object is taken whole: its strings are never
searched, and its inside only where it lacks the field. Arrays are searched. An object that is not complete is ignored,
and so is one whose field is only an ellipsis, since that is the template of the prompt. As `lines` the answer is the
last block with the field, one line a field, as in `formula: 1 + 2`.

Small slips are tolerated because they say nothing about the task: code fences, prose around the object, single quotes,
trailing commas, bare words as strings.

Reading takes linear time at any length. What begins an object or array and breaks is searched from its next character
on, and since such a beginning is at most `DEPTH` levels deep, no character is read more than a few times.
"""

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal

from shiftgym.tasks.thinking import without_thinking

Form = Literal["json", "lines"]
"""How an answer is written."""

DEPTH = 5
"""Levels of objects and arrays that are read as one. What has more counts as broken, so its inside is searched."""


def read_fields(text: str, field: str, form: Form, lists: Collection[str] = ()) -> dict[str, Any] | None:
    """The fields of an answer, or None where there is none. Takes linear time and never raises.

    Args:
        field: the field that makes an object, or a block of lines, the answer.
        lists: fields that hold a list; in lines its items stand between blanks, whole numbers read as such.
    """
    if form == "json":
        return read_object(text, field)
    block = next((one for one in reversed(_blocks(without_thinking(text), field)) if _counts(one, field)), None)
    return block and {name: _items(value) if name in lists else value for name, value in block.items()}


def write_fields(fields: Mapping[str, Any], form: Form) -> str:
    """An answer with these fields."""
    if form == "json":
        return json.dumps(fields)
    lines = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in fields.items()}
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def read_object(text: str, field: str) -> dict[str, Any] | None:
    """The object in `text` that is the answer, or None. Takes linear time and never raises.

    Args:
        field: the field that makes an object the answer.
    """
    text = without_thinking(text)
    last = text.rfind(field)
    filled = _filled(field)
    complete = []
    for match in _COMPLETE.finditer(text):
        if match.start() > last:
            break
        if filled.search(text, match.start(), match.end()):
            complete.append(match[0])
    for part in reversed(complete):
        found = _last(_value(part), field)
        if found is not None:
            return found
    return None


def _counts(fields: Mapping[str, Any], field: str) -> bool:
    """Whether the field is there and more than an ellipsis."""
    value = fields.get(field, "...")
    return not isinstance(value, str) or value.strip() not in ("...", "…")


# Lines.

_LINE = re.compile(r"[ \t]*+([a-z]++)[ \t]*+:(.*)", re.DOTALL)


def _blocks(text: str, field: str) -> list[dict[str, str]]:
    """Runs of lines with different names. Other lines end a block only once it has the answer's field, so that steps
    may run over several lines."""
    blocks: list[dict[str, str]] = [{}]
    for line in text.split("\n"):
        named = _LINE.match(line)
        if (named[1] in blocks[-1]) if named else (field in blocks[-1]):
            blocks.append({})
        if named:
            blocks[-1][named[1]] = named[2].strip(" \t\r")
    return blocks


def _items(text: str) -> list[int | str]:
    return [int(item) if re.fullmatch(r"-?[0-9]{1,9}", item) else item for item in text.split()]


# Objects: which parts of a text are complete, and what stands in them.

_SCALAR = r""""[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+'|[A-Za-z0-9_.…+-]++"""
"""A string, a number or a bare word."""
_NEXT = r"\s*+(?:,\s*+|(?=[\]}]))"
"""After an item: the comma, which may also stand before the end."""


def _nested(depth: int) -> str:
    """The pattern of a complete object or array with so many levels at most. Nothing in it is tried twice."""
    value = f"(?:{_SCALAR}|{_nested(depth - 1)})" if depth > 1 else f"(?:{_SCALAR})"
    return rf"{{\s*+(?:(?:{_SCALAR})\s*+:\s*+{value}{_NEXT})*+}}|\[\s*+(?:{value}{_NEXT})*+\]"


_COMPLETE = re.compile(rf"(?![\[{{]\s*+[\]}}]|\[{{{DEPTH + 1}}})(?:{_nested(DEPTH)})", re.DOTALL)
"""What is empty, or clearly too deep, is passed over at once."""


@cache
def _filled(field: str) -> re.Pattern[str]:
    """Finds where an object may hold the field with more than an ellipsis; thousands of templates are read at once."""
    return re.compile(rf"""{re.escape(field)}["']?\s*+:\s*+(?!(["']?)\s*+(?:\.\.\.|…)\s*+\1[,}}\s])""")


def _last(value: Any, field: str) -> dict[str, Any] | None:
    """The last object in a value that is an answer and stands in no other object with the field."""
    if isinstance(value, dict) and field in value:
        return value if _counts(value, field) else None
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return next((found for one in reversed(inside) if (found := _last(one, field)) is not None), None)


_JSON = json.JSONDecoder(strict=False)
_PART = re.compile(rf"({_SCALAR})\s*+(:)?+|,(?=\s*+[\]}}])|\s++", re.DOTALL)
"""A scalar, perhaps as a name; a comma before an end; blanks."""


def _value(text: str) -> Any:
    """The value of a complete object or array."""
    try:
        return _JSON.raw_decode(text)[0]
    except ValueError:
        return _JSON.raw_decode(_PART.sub(_mended, text))[0]


_WORDS = {
    "true": "true",
    "false": "false",
    "null": "null",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "True": "true",
    "False": "false",
    "None": "null",
    "-Infinity": "-Infinity",
}
_NUMBER = re.compile(r"-?[0-9]++(\.[0-9]++)?+([eE][+-]?[0-9]++)?+")


def _mended(part: re.Match[str]) -> str:
    """A part of an object as strict JSON."""
    token, colon = part.groups()
    if token is None:
        return " "
    if token[0] in "\"'":
        return json.dumps(_unescaped(token[1:-1])) + (colon or "")
    if colon:
        return f'"{token}":'
    if _NUMBER.fullmatch(token):
        # Python refuses to read whole numbers of thousands of digits.
        return json.dumps(int(token) if len(token) < 20 and token.lstrip("-").isdigit() else float(token))
    return _WORDS.get(token, f'"{token}"')


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescaped(text: str) -> str:
    """The text of a string in which backslashes escape."""

    def character(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2]
        return chr(int(code, 16)) if code else _LETTERS.get(escape[3], escape[3])

    return _ESCAPE.sub(character, text)
