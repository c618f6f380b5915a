"""Reading the answer out of a model's text, in the form that the prompt asks for.

Thinking is dropped first (`tasks/thinking.py`). As `json` the answer is the last complete object that has the answer's
field, such as `formula`. The text is scanned forwards. A complete object is taken whole at any depth: its strings are
never searched, and its inside only where it lacks the field. Arrays are searched. An object that is not complete is
ignored, but what stands in it is searched. An object whose field is only an ellipsis is ignored too, since that is the
template of the prompt. As `lines` the answer is the last block with the field, one line a field, as in
`formula: 1 + 2`.

Small slips are tolerated because they say nothing about the task: code fences, prose around the object, single quotes,
trailing commas, bare words as strings.

Reading takes bounded time at any length: beginnings that break share one budget of characters, which texts of ordinary
making never use up. What then is left of the text is read three levels deep only, which is fast.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from shiftgym.tasks.thinking import without_thinking

Form = Literal["json", "lines"]
"""How an answer is written."""

SPARE = 20_000
"""The budget of a text beside its own length, in characters that are read in what turns out to be broken."""
START = 30
"""What each beginning of an object or array costs beside that."""


def read_fields(text: str, field: str, form: Form, lists: Collection[str] = ()) -> dict[str, Any] | None:
    """The fields of an answer, or None where there is none. Takes bounded time and never raises.

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
    """The object in `text` that is the answer, or None. Takes bounded time and never raises.

    Args:
        field: the field that makes an object the answer.
    """
    text = without_thinking(text)
    names = [name.start() for name in _filled(field, "\\" in text).finditer(text)]
    for start, end in reversed(list(_complete(text, names))):
        found = _last(_value(text[start:end]), field)
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
_NAME = rf"(?:{_SCALAR})\s*+:\s*+"
_NEXT = r"\s*+(?:,\s*+|(?=[\]}]))"
"""After an item: the comma, which may also stand before the end."""


def _shallow(levels: int) -> str:
    """The pattern of a complete object or array with so many levels at most. Nothing in it is tried twice."""
    value = f"(?:{_SCALAR}|{_shallow(levels - 1)})" if levels > 1 else f"(?:{_SCALAR})"
    return rf"{{\s*+(?:{_NAME}{value}{_NEXT})*+}}|\[\s*+(?:{value}{_NEXT})*+\]"


_VALUE = f"(?:{_SCALAR}|{_shallow(1)})"
_REST = {
    "{": re.compile(rf"\s*+(?:{_NAME}{_VALUE}{_NEXT})*+(?:(}})({_NEXT})?+|{_NAME}(\[+(?=\[\[)|[\[{{]))", re.DOTALL),
    "[": re.compile(rf"\s*+(?:{_VALUE}{_NEXT})*+(?:(\])({_NEXT})?+|(\[+(?=\[\[)|[\[{{]))", re.DOTALL),
}
"""What follows in an object or array, up to its end, perhaps with what leads to the next item, or up to the beginning
of one or more inside it. Shallow ones on the way are read at once, since that is fast."""
_WORD = "[A-Za-z0-9_.…+-]++"


def _first(after: str) -> str:
    """The pattern of a first name or item, with one of the characters that may stand after it; a string is only looked
    at where it is short and has no escapes."""
    quoted = (rf"{quote}(?![^{quote}\\]{{0,40}}+{quote}\s*+[^{after}\s])" for quote in ("'", '"'))
    return rf"\s*+(?:{'|'.join(quoted)}|{_WORD}\s*+[{after}])"


_OBJECT = rf"{{(?={_first(':')})"
_BEGIN = re.compile(rf"{_OBJECT}|\[(?=(?:\s*+\[){{0,9}}+(?:{_first('],')}|\s*+(?:[][]|{_OBJECT}|{{\s*+}})))")
"""The beginning of an object or array that is not empty and does not clearly break at its first name or item."""
_SHALLOW = re.compile(rf"(?![{{[]\s*+[]}}]|\[{{4}})(?:{_shallow(3)})", re.DOTALL)
"""A complete object or array for the end of a text whose budget is used up, but for those that are clearly deeper."""
_PLAIN = re.compile(r"""(?:[^"']++|"[^"\\{[]*+"|'[^'\\{[]*+')*+""")
"""What has no strings in which anything could begin."""


def _complete(text: str, names: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where the complete objects and arrays begin and end that stand in no other one and hold one of these places."""
    at, left = 0, SPARE + len(text)
    broken: set[int] = set()
    while names and left > 0 and (begin := _BEGIN.search(text, at)) and begin.start() < names[-1]:
        at = start = begin.start()
        while at in broken:
            at += 1
        if at > start:
            continue
        end, opened = _read(text, start)
        name = names[bisect_left(names, start)]
        left -= START
        if not opened:
            if name < end:
                yield start, end
            at = end
            continue
        left -= end - start
        plain = _PLAIN.match(text, start, min(name, end))
        matters = plain.end() if plain else start
        # Whatever was open where this one broke is broken too. What else reaches the first place that matters began
        # after the last open one before it.
        broken.update(opened)
        at = opened[bisect_left(opened, matters) - 1] + 1 if matters < end else end
    if left <= 0:
        for match in _SHALLOW.finditer(text, at):
            if bisect_left(names, match.start()) < bisect_left(names, match.end()):
                yield match.span()


def _read(text: str, start: int) -> tuple[int, list[int]]:
    """Where the object or array ends that starts here; or where it breaks, with the starts of what is open there."""
    opened, at = [start], start + 1
    rest = _REST[text[start]].match(text, at)
    while rest:
        at = rest.end()
        if rest.lastindex == 3:
            opened += range(rest.start(3), at)
            rest = _REST[text[at - 1]].match(text, at)
            continue
        opened.pop()
        if not opened:
            return rest.end(1), []
        if rest.lastindex == 1:
            break
        rest = _REST[text[opened[-1]]].match(text, at)
    return at, opened


@cache
def _filled(field: str, escaped: bool) -> re.Pattern[str]:
    """Finds where an object may hold the field with more than an ellipsis; thousands of templates are read at once.

    Args:
        escaped: whether letters of the name may be written as escapes, which takes longer to find.
    """
    name = "".join(rf"(?:{one}|\\(?:u00|x)(?i:{ord(one):02x}))" if escaped else one for one in field)
    return re.compile(rf"""{name}["']?\s*+:\s*+(?!(["']?)\s*+(?:\.\.\.|…)\s*+\1[,}}\s])""")


def _last(value: Any, field: str) -> dict[str, Any] | None:
    """The last object in a value that is an answer and stands in no other object with the field."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict) and field not in one:
            waiting += one.values()
        elif isinstance(one, dict) and _counts(one, field):
            return one
    return None


_JSON = json.JSONDecoder(strict=False)
_PART = re.compile(rf"({_SCALAR})\s*+(:)?+|,(?=\s*+[\]}}])|\s++", re.DOTALL)
"""A scalar, perhaps as a name; a comma before an end; blanks."""


def _value(text: str) -> Any:
    """The value of a complete object or array."""
    try:
        return _strict(text)
    except ValueError:
        return _strict(_PART.sub(_mended, text))


def _strict(text: str) -> Any:
    """The value of strict JSON; None where it has more levels than Python can read, which is about a thousand."""
    try:
        return _JSON.raw_decode(text)[0]
    except RecursionError:
        return None


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
