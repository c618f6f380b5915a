"""Problems are opened by split and index, or by a row that another process reads."""

import json

import numpy as np
import pytest
from tests.integrations.parity import STUDIES, problems

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems, opened
from shiftgym.studies.config import load_study


def test_the_splits_are_those_of_the_study():
    assert Problems("points-text").splits == tuple(load_study("points-text").splits)


@pytest.mark.parametrize("study", STUDIES)
def test_a_row_opens_the_same_episode_elsewhere(study):
    source = problems(study)
    for decision in (None, 0):
        row = json.loads(json.dumps(source.row("rule_ood", 5, decision=decision)))
        here, there = source.session("rule_ood", 5, decision=decision, pictures="url"), opened(row, pictures="url")
        assert there.messages == here.messages
        assert there.limit == here.limit
        assert there.episode.problem == here.episode.problem


def test_limit_and_feedback_go_with_a_row():
    session = opened(Problems("points-text", limit=2, feedback=False).row("id", 0))
    assert session.limit == 2
    assert session.step("no").messages[-1]["content"] == "Try again."
    assert session.step("no").done


def test_what_is_not_there():
    with pytest.raises(ConfigError, match="unknown split 'ood'"):
        Problems("points-text").session("ood", 0)
    with pytest.raises(ConfigError, match="unknown split 'ood'"):
        Problems("points-text").row("ood", 0)
    with pytest.raises(ConfigError, match="unknown split 'ood'"):
        opened({**Problems("points-text").row("id", 0), "split": "ood"})
    for split in (None, 3, ["id"]):
        with pytest.raises(ConfigError, match="unknown split .*; known are train, id"):
            Problems("points-text").session(split, 0)
    for limit in (0, -1, "3", 2.5):
        with pytest.raises(ConfigError, match=f"limit: {limit!r} is no number of attempts; give 1 or more"):
            Problems("points-text", limit=limit)
    for index in (-1, 1.0, "0", None):
        with pytest.raises(ConfigError, match=f"index: {index!r} is no problem; they are counted from 0"):
            problems("points-text").session("id", index)
        with pytest.raises(ConfigError, match=f"index: {index!r} is no problem; they are counted from 0"):
            problems("points-text").row("id", index)
    for decision in (-1, 1, 0.5):
        with pytest.raises(ConfigError, match=f"decision: id 0 has no decision {decision!r}, counted from 0"):
            problems("points-text").session("id", 0, decision=decision)


def test_the_index_of_a_table_may_be_an_integer_of_numpy():
    row = problems("points-text").row("id", 7)
    assert opened({**row, "index": np.int64(7)}).episode.problem == opened(row).episode.problem
    assert problems("points-text").row("id", np.int64(7)) == row
    json.dumps(problems("points-text").row("id", np.int64(7)))


@pytest.mark.parametrize(
    ("given", "number"), [(float("nan"), 0), (np.float64("nan"), 0), (2.0, 2), (np.float64(2), 2), (np.int64(2), 2)]
)
def test_the_decision_of_a_table_may_have_become_a_float(given, number):
    """A column of pandas that has both numbers and None, or a table of integers of NumPy."""
    session = opened({**problems("navigation-text").row("id", 0), "decision": given})
    assert json.loads(json.dumps(session.info))["decision"] == number and type(session.number) is int
    assert session.messages == problems("navigation-text").session("id", 0, decision=number).messages
    session.step(problems("navigation-text").task.expert(session.episode.decisions[-1].decision))
    assert session.done == (given == number), "without one, all decisions are played"


def test_every_decision_comes_with_its_row():
    source = problems("navigation-text")
    pairs = list(source.by_decision("id", range(2)))
    assert [row["index"] for row, _ in pairs] == sorted(row["index"] for row, _ in pairs)
    for row, decision in pairs:
        assert opened(row).messages == decision.prompt
