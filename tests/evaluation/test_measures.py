"""The table of measures: computed from an episode, asked for by name."""

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from shiftgym.episodes import Attempt, DecisionRecord, Episode
from shiftgym.errors import ConfigError
from shiftgym.evaluation.measures import MEASURES, Diagnosed, MeasureName, Where, require_measure
from shiftgym.policies.base import StopReason
from shiftgym.reading import WrongValue, typed
from shiftgym.tasks.base import Diagnosis
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD, Verdict


def record(*right: bool, tokens: int = 10, text: str = "answer", stop: StopReason = "end") -> DecisionRecord:
    attempts = [Attempt(text, Verdict("", 5.0 if each else -1.0, "", each), tokens, stop) for each in right]
    return DecisionRecord(decision=None, attempts=attempts)  # type: ignore[arg-type]


def diagnosis(**shown: Any) -> Diagnosis:
    return Diagnosis(**{"valid": True, "style": "worked", "translated": None, "perseverated": None, **shown})


def measured(records: list[DecisionRecord], diagnoses: list[Diagnosis]) -> dict[str, float | None]:
    return {name: measure.of(Diagnosed(Episode(None, records), diagnoses)) for name, measure in MEASURES.items()}


def test_measures_of_a_route_are_those_counted_by_hand() -> None:
    records = [record(True), record(False, True, tokens=20), record(False, False), record(True)]
    diagnoses = [
        diagnosis(translated=True, perseverated=False),
        diagnosis(translated=False, perseverated=True, valid=False),
        diagnosis(translated=True),
        diagnosis(),
    ]
    assert measured(records, diagnoses) == {
        "success_1": 0.5,
        "success": 0.75,
        "whole": 0,
        # The episode of the paper ends with the third decision: two right answers of five.
        "per_step": 0.4,
        "attempts": 6,
        "reward": 5 + (5 - 1) + (-2 + OUT_OF_ATTEMPTS_REWARD) + 5,
        "valid": 0.75,
        "translated": pytest.approx(2 / 3),
        "perseverated": 0.5,
        "recognised": None,
        "tokens": 12.5,
        "cut": 0,
        "empty": 0,
        "too_long": 0,
    }


def test_ends_are_counted_over_all_answers_of_an_episode() -> None:
    records = [
        record(False, True),
        record(False, False, text=" \n", stop="length"),
        record(False, stop="too_long", text=""),
    ]
    found = measured(records, [diagnosis()] * 3)
    assert (found["cut"], found["empty"], found["too_long"]) == (2 / 5, 3 / 5, 1 / 5)


def test_only_what_may_be_null_is_declared_so() -> None:
    found = measured([record(True)], [diagnosis()])
    # Ends of answers are null only in rows that were written before they were recorded.
    assert {name for name, value in found.items() if value is None} == {
        name for name, measure in MEASURES.items() if measure.nullable and measure.where != Where.ENDS
    }


def test_a_label_says_how_many_attempts() -> None:
    assert MEASURES["success"].called(5) == "5 attempts"
    assert MEASURES["valid"].called(5) == "valid"


def test_a_name_is_looked_up_and_a_wrong_one_is_answered_with_the_nearest() -> None:
    assert require_measure("per_step") is MEASURES["per_step"]
    with pytest.raises(ConfigError, match="there is no measure 'sucess'; did you mean 'success'?"):
        require_measure("sucess")


def test_a_settings_field_takes_known_measures_only() -> None:
    class Table(BaseModel):
        model_config = ConfigDict(extra="forbid")
        measure: MeasureName

    assert typed(Table, {"measure": "whole"}).measure == "whole"
    with pytest.raises(WrongValue) as caught:
        typed(Table, {"measure": "per-step"}, "compare")
    assert (caught.value.path, caught.value.reason) == (
        "compare.measure",
        "there is no measure 'per-step'; did you mean 'per_step'?",
    )


NEW = """
from shiftgym.evaluation import measures

measures.MEASURES["first_right"] = measures.Measure(
    "first_right", "first decision", "Whether the first decision is right", lambda of: float(of.records[0].solved)
)

import json, sys
import pyarrow as pa
from shiftgym.evaluation.rows import SCHEMA, Cube
from shiftgym.evaluation.summaries import summarise

rows = pa.Table.from_pylist([{**json.loads(sys.argv[1]), "first_right": 0.5}], schema=SCHEMA)
assert summarise(rows)[0].means["first_right"] == 0.5
assert Cube.of(rows).answers("first_right", "sft", 1.0, "id", "greedy").item() == 0.5
assert measures.require_measure("first_right").label == "first decision"
"""


def test_a_new_measure_is_a_row_and_a_function(hand: Any) -> None:
    """Its column is read and averaged without any other change. In a process of its own, where the table is fresh."""
    subprocess.run([sys.executable, "-c", NEW, json.dumps(hand.row())], check=True)
