"""Judging from outside: JSON lines in, JSON lines out, so that any language can use the verifiers.

    {"task": "points", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8", "8"], "answer": "..."}
        -> {"outcome": "...", "reward": -1.0, "feedback": "..."}
    the same without "answer"
        -> {"solvable": true, "solution": "..."}          the solution is null where there is none
    {"task": "navigation", "rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 10, "landmark": null,
     "at_intersection": true, "instruction": "...", "attempt": 1, "answer": "..."}
        -> {"outcome": "...", "reward": -1.0, "feedback": "..."}
    {"task": "reasoning_gym", "problem": {"generator": "chain_sum", "question": "...", "answer": "7"}, "answer": "..."}
        -> {"outcome": "...", "reward": -1.0, "feedback": "..."}
    a line that cannot be read
        -> {"error": "..."}

Each task says what its lines hold (`tasks/*/verify_line.py`). For points, `modality` is "text" unless given as
"vision", where reading the cards is judged too. For navigation, `next_heading` may be null where no turn is expected.
For reasoning_gym, `problem` is the record of a problem, as `shiftgym data problems` writes it.
An `id` of any value passes through to the result, also to an error. A byte-order mark is no fault.
"""

import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from shiftgym.errors import ConfigError, DataError
from shiftgym.reading import WrongValue, typed
from shiftgym.tasks.base import VerifyRequest
from shiftgym.tasks.registry import SHIPPED, load_task

BYTE_ORDER_MARK = "\ufeff"


def verify_file(path: str, out: TextIO) -> None:
    """Verify the lines of a file, or of the standard input for `-`. Bytes that are not UTF-8 make their line bad."""
    if path == "-":
        verify_lines((line.decode(errors="replace") for line in sys.stdin.buffer), out)
        return
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such file; give JSON lines, or - for the standard input")
    with Path(path).open("rb") as lines:
        verify_lines((line.decode(errors="replace") for line in lines), out)


def verify_lines(lines: Iterable[str], out: TextIO) -> None:
    """Write one result for each line, in order; a bad line gets an error and never stops the rest."""
    for line in lines:
        out.write(json.dumps(verify_line(line)) + "\n")


def verify_line(line: str) -> dict[str, Any]:
    """The result for one line, as above."""
    try:
        fields = json.loads(line.lstrip(BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        return {"error": f"not a JSON object: {error}"}
    if not isinstance(fields, dict):
        return {"error": f"not a JSON object but {type(fields).__name__}"}
    return {"id": fields.pop("id"), **_result(fields)} if "id" in fields else _result(fields)


def _result(fields: dict[str, Any]) -> dict[str, Any]:
    """The result for the fields of a line, but for its `id`."""
    task = fields.get("task")
    if not isinstance(task, str) or task not in SHIPPED:
        # A line is data: it never names a module to import.
        said = "this key is missing" if "task" not in fields else f"{task!r} is none of {', '.join(SHIPPED)}"
        return {"error": f"task: {said}"}
    try:
        return typed(_model(task), fields).result()
    except WrongValue as wrong:
        return {"error": f"{wrong.path}: {wrong.reason}"}
    except (ConfigError, ValueError) as error:
        return {"error": str(error)}


@cache
def _model(task: str) -> type[VerifyRequest]:
    shipped: Any = load_task(task)
    found: type[VerifyRequest] = shipped.VerifyRequest
    return found
