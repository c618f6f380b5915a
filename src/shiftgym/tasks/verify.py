"""Judging from outside: JSON lines in, JSON lines out, so that any language can use the verifiers.

    {"task": "points", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8", "8"], "answer": "..."}
        -> {"outcome": "...", "reward": -1.0, "feedback": "..."}
    the same without "answer"
        -> {"solvable": true, "solution": "..."}          the solution is null where there is none
    a line that cannot be read
        -> {"error": "..."}

`modality` is "text" unless given as "vision", where reading the cards is judged too.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shiftgym.errors import ConfigError, DataError
from shiftgym.tasks.points.deck import RANKS
from shiftgym.tasks.points.rules import fixed_rule
from shiftgym.tasks.points.solver import formula, solution
from shiftgym.tasks.points.verifier import Table, judge
from shiftgym.tasks.registry import reason


def _printed(symbol: str) -> str:
    if symbol not in RANKS:
        raise ValueError(f"{symbol!r} is no card; cards are {', '.join(RANKS)}")
    return symbol


class PointsLine(BaseModel):
    """One line about a hand of points."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: Literal["points"]
    modality: Literal["text", "vision"] = "text"
    rule: str
    target: int = Field(ge=1)
    cards: list[Annotated[str, AfterValidator(_printed)]] = Field(min_length=3, max_length=6)
    """Printed symbols."""
    answer: str | None = None
    """What the policy wrote; without it, the question is whether the hand can be solved."""


def verify_file(path: str, out: TextIO) -> None:
    """Verify the lines of a file, or of the standard input for `-`. Bytes that are not UTF-8 make their line bad."""
    if path == "-":
        verify_stream((line.decode(errors="replace") for line in sys.stdin.buffer), out)
        return
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such file; give JSON lines, or - for the standard input")
    with Path(path).open("rb") as lines:
        verify_stream((line.decode(errors="replace") for line in lines), out)


def verify_stream(lines: Iterable[str], out: TextIO) -> None:
    """Write one result for each line, in order; a bad line gets an error and never stops the rest."""
    for line in lines:
        out.write(json.dumps(verify_line(line)) + "\n")


def verify_line(line: str) -> dict[str, Any]:
    """The result for one line, as above."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"error": f"not a JSON object: {error}"}
    if not isinstance(fields, dict):
        return {"error": f"not a JSON object but {type(fields).__name__}"}
    try:
        asked = PointsLine.model_validate(fields)
        rule = fixed_rule(asked.rule)
    except ValidationError as error:
        return {"error": reason(error, PointsLine)}
    except ConfigError as error:
        return {"error": str(error)}
    if rule is None:
        return {"error": f"rule: {asked.rule!r} is drawn for each problem; name the rule that was drawn"}
    ranks = tuple(asked.cards)
    if asked.answer is None:
        if "answer" in fields:
            return {"error": "answer: must be text, not null"}
        tree = solution(tuple(sorted(rule.values(ranks))), (asked.target, 1))
        return {"solvable": tree is not None, "solution": None if tree is None else formula(tree)}
    verdict = judge(asked.answer, Table(ranks, rule, asked.target, vision=asked.modality == "vision"))
    return {"outcome": verdict.outcome, "reward": verdict.reward, "feedback": verdict.feedback}
