"""From TOML values to typed tables, with errors that say where, why, and what would have been right."""

import re
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from numbers import Integral
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shiftgym.errors import ConfigError

Table = TypeVar("Table", bound=BaseModel)

LONGEST_NAME = 200
"""Of a wrong name, so many characters are compared with the known ones: a client may send millions."""


class WrongValue(Exception):
    """A value that cannot be used. Whoever knows the file that it stands in turns this into a ConfigError."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError if it is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no valid TOML: {error}") from None


def override(values: dict[str, Any], assignment: str) -> str:
    """Carry out `key.path=value` in place; the key path. The value is read as TOML, or else as a string.

    Raises:
        ConfigError: it is no assignment, or leads into a value.
    """
    path, equals, text = assignment.partition("=")
    *tables, last = path.split(".")
    if not equals or not all([*tables, last]):
        raise ConfigError(f"--set {assignment}: give key.path=value, as in budget.flops=1e12")
    for name in tables:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {assignment}: {name!r} is a value, not a table")
    try:
        values[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = text
    return path


def typed(kind: type[Table], values: Mapping[str, Any], *prefix: str, beside: Collection[str] = ()) -> Table:
    """`values`, which stand in a file under the path `prefix`, as a `kind`; WrongValue for one fault.

    Args:
        beside: keys that may stand beside these values in the file, but are none of a `kind`.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
    # An unknown key first: a misspelt one often is why another is missing.
    fault = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    path, reason = _explain(kind, fault, beside)
    raise WrongValue(".".join([*prefix, *path]), reason)


def require_count(name: str, value: Any, of: str) -> None:
    """ConfigError if an argument of that name is no whole number above 0. Tables of others have those of NumPy."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}: {value!r} is no number of {of}; give 1 or more")


def nearest(name: str, known: Collection[str]) -> str:
    """The end of an error message: the known name closest to a wrong one, or all of them if none is close."""
    near = get_close_matches(name[:LONGEST_NAME], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known) or 'none'}"


def _explain(kind: type[BaseModel], fault: ErrorDetails, beside: Collection[str]) -> tuple[list[str], str]:
    """Key path of a fault, and what is wrong there."""
    path, known = _locate(kind, fault["loc"])
    known += beside if len(path) == 1 else ()
    context = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return path, "this key is missing"
        case "extra_forbidden":
            return path, "unknown key" + nearest(path[-1], known)
        case "literal_error":
            found = str(fault["input"])
            return path, f"unknown value {found!r}" + nearest(found, _quoted(context["expected"]))
        case "model_type" | "dict_type":
            return path, f"should be a table, not {fault['input']!r}"
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    # A table's own check begins its message with the key at fault; pydantic gives a check of the whole table no key.
    key, colon, rest = reason.partition(": ")
    if fault["type"] == "value_error" and colon and key in (path[-1:] or kind.model_fields):
        path, reason = path or [key], rest
    return path, reason if fault["type"] == "value_error" else f"{reason}, not {fault['input']!r}"


def _locate(kind: Any, location: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """The key path that an error is about, and the keys known beside its last part."""
    path: list[str] = []
    known: list[str] = []
    for part in location:
        while get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if part == "[key]":
            continue
        if get_origin(kind) in (Union, UnionType):
            kind = next(one for one in get_args(kind) if one is not NoneType)
        path.append(str(part))
        known = []
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            known = list(kind.model_fields)
            kind = kind.model_fields[part].annotation if part in kind.model_fields else None
        else:
            inner = [one for one in get_args(kind) if one is not Ellipsis]
            kind = inner[-1] if inner else None
    return path, known


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)
