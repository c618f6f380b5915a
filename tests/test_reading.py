"""From plain values to typed tables."""

import time
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shiftgym.errors import ConfigError
from shiftgym.reading import WrongValue, nearest, override, require_count, typed


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(1, ge=1)
    name: str


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["red", "blue"] = "red"
    low: int = 0
    high: int = 9
    inner: dict[str, Inner] = {}
    probes: Inner | None = None
    groups: dict[str, Inner] | None = None

    @field_validator("low")
    @classmethod
    def _even(cls, low):
        if low % 2:
            raise ValueError("low: must be even")
        return low

    @model_validator(mode="after")
    def _ordered(self):
        if self.low > self.high:
            raise ValueError("high: must not be less than low")
        return self


def test_good_values_become_a_table():
    assert typed(Outer, {"low": 2, "inner": {"a": {"name": "x"}}}).inner["a"].size == 1


@pytest.mark.parametrize(
    ("values", "path", "reason"),
    [
        ({"lwo": 2}, "splits.x.lwo", "unknown key; did you mean 'low'?"),
        ({"zzz": 2, "kind": "green"}, "splits.x.zzz", "unknown key; known are kind, low, high, inner, probes, groups"),
        ({"kind": "bleu"}, "splits.x.kind", "unknown value 'bleu'; did you mean 'blue'?"),
        ({"inner": {"a": {}}}, "splits.x.inner.a.name", "this key is missing"),
        ({"inner": {"a": 3}}, "splits.x.inner.a", "should be a table, not 3"),
        ({"inner": 3}, "splits.x.inner", "should be a table, not 3"),
        (
            {"inner": {"a": {"name": "x", "size": 0}}},
            "splits.x.inner.a.size",
            "should be greater than or equal to 1, not 0",
        ),
        ({"low": 1}, "splits.x.low", "must be even"),
        ({"low": 10}, "splits.x.high", "must not be less than low"),
    ],
)
def test_a_fault_says_where_and_why(values, path, reason):
    with pytest.raises(WrongValue) as caught:
        typed(Outer, values, "splits", "x")
    assert (caught.value.path, caught.value.reason) == (path, reason)


@pytest.mark.parametrize("path", ["probes", "groups.a"])
def test_a_fault_in_a_table_that_may_be_left_out_says_where_and_why(path):
    for values, key, reason in (
        ({"siez": 1}, ".siez", "unknown key; did you mean 'size'?"),
        ({"name": "x", "size": 0}, ".size", "should be greater than or equal to 1, not 0"),
        ({}, ".name", "this key is missing"),
        (3, "", "should be a table, not 3"),
    ):
        first, *rest = path.split(".")
        with pytest.raises(WrongValue) as caught:
            typed(Outer, {first: {rest[0]: values} if rest else values})
        assert (caught.value.path, caught.value.reason) == (path + key, reason)


def test_an_override_reads_toml_or_a_string():
    values = {"task": {"name": "points"}}
    assert override(values, "task.limit=3") == "task.limit"
    override(values, "task.rule=relative")
    override(values, "splits.train.legs=[2, 3]")
    assert values == {
        "task": {"name": "points", "limit": 3, "rule": "relative"},
        "splits": {"train": {"legs": [2, 3]}},
    }
    for wrong in ("task.limit", "=3", "task..x=3", "task.name.first=3"):
        with pytest.raises(ConfigError, match=f"--set {wrong}"):
            override(values, wrong)


def test_the_nearest_name_or_all_of_them():
    assert nearest("piont", ["points", "navigation"]) == "; did you mean 'points'?"
    assert nearest("x", ["points", "navigation"]) == "; known are points, navigation"
    assert nearest("x", []) == "; known are none"


def test_a_wrong_name_of_millions_of_characters_is_answered_soon():
    began = time.thread_time()
    assert nearest("x" * 20_000_000, ["red", "blue"]) == "; known are red, blue"
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("value", [0, -1, 2.5, "3", None, True])
def test_a_count_is_a_whole_number_above_0(value):
    with pytest.raises(ConfigError, match=f"every: {value!r} is no number of steps; give 1 or more"):
        require_count("every", value, "steps")


def test_counts_of_numpy_are_counts():
    require_count("every", np.int64(1), "steps")
