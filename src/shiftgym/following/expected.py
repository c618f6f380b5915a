"""What the `study.toml` of every run folder holds, as far as those who follow it use it. A folder may come from
elsewhere, so types are checked before anything is made of the values."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from shiftgym.reading import WrongValue, typed
from shiftgym.training.settings import Accounting

PROBLEMS, SEEDS, JOBS = 1_000_000, 10_000, 20_000
"""Most problems of a split, seeds of a run, and branches with a seed in all: what is followed takes memory for each."""

Text = Annotated[str, Field(max_length=2_000)]
"""A title or a name. A browser takes minutes to lay out one of a million characters."""

LONGEST = 300
"""Characters of what is told of a wrong value."""


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Task(_Table):
    name: str
    limit: int = Field(ge=1)


class _Evaluation(_Table):
    splits: list[Text] = Field(min_length=1)
    decodings: list[str] = Field(min_length=1)
    problems: int = Field(ge=1, le=PROBLEMS)


class _Checkpoint(_Table):
    step: int = Field(ge=0)
    flops: FiniteFloat | None = None


class _Candidate(_Table):
    label: Text
    checkpoints: list[_Checkpoint] = Field(min_length=1, max_length=SEEDS)


class _Budget(_Table):
    flops: FiniteFloat = Field(gt=0)
    checkpoints: list[FiniteFloat]
    accounting: Accounting = "executed"


class _Init(_Table):
    steps: int = Field(1, ge=1)


class _Branch(_Table):
    label: Text
    start: str = ""
    start_at: FiniteFloat = 0.0


class _Any(_Table):
    name: Text
    title: Text
    note: Text | None = None
    seeds: list[int] = Field(max_length=SEEDS)
    data_seed: int = Field(ge=0)
    task: _Task
    compare: dict[str, Any]
    evaluation: _Evaluation
    splits: dict[str, dict[str, Any]] = {}


class _Study(_Any):
    budget: _Budget
    init: _Init = _Init()
    branches: dict[Text, _Branch]


class _Comparison(_Any):
    candidates: dict[Text, _Candidate] = Field(min_length=1)


def check(study: Mapping[str, Any]) -> None:
    """
    Raises:
        WrongValue: a value is none that a run writes.
    """
    found: _Comparison | _Study
    try:
        found = typed(_Comparison, study) if "candidates" in study else typed(_Study, study)
    except WrongValue as wrong:
        raise WrongValue(wrong.path[:LONGEST], wrong.reason[:LONGEST]) from None
    names = found.candidates if isinstance(found, _Comparison) else found.branches
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise WrongValue("branches", f"{name!r} is no name of a branch, since it is none of a folder")
    if len(names) * len(found.seeds) > JOBS:
        raise WrongValue("seeds", f"more than {JOBS} branches with a seed are not followed")
    if isinstance(found, _Study):
        _end_at_the_start(found.branches)


def _end_at_the_start(branches: Mapping[str, _Branch]) -> None:
    """WrongValue if branches start from one another in a circle."""
    ends: set[str] = set()
    for name in branches:
        way: dict[str, None] = {}
        while name in branches and name not in ends:
            if name in way:
                raise WrongValue(f"branches.{name[:LONGEST]}.start", "branches start from one another in a circle")
            way[name] = None
            name = branches[name].start
        ends |= way.keys()
