from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from pydantic import ValidationError

from shiftgym.errors import ConfigError
from shiftgym.training.recipes.rft import RFT

SMALL: dict[str, Any] = {"problems": 12, "max_new_tokens": 3}


def test_it_keeps_the_different_right_answers_of_the_start(bench: Any) -> None:
    recipe = bench.make(RFT, batch=8, group_size=64, **SMALL)
    bench.disturb()  # the branch has moved on: answers still are those of its start
    groups = recipe.collect(1).groups
    assert len(groups) == 8
    assert all(bench.right(conversation) for conversation in chain(*groups))
    assert all(len({tuple(each.ids) for each in group}) == len(group) for group in groups)
    again = bench.make(RFT, batch=8, group_size=64, **SMALL)
    assert [each.ids for each in chain(*again.collect(1).groups)] != [each.ids for each in chain(*groups)]


def test_trajectories_may_hold_failed_attempts_before_the_right_one(bench: Any) -> None:
    conversations = bench.collected(bench.make(RFT, batch=12, group_size=64, limit=3, **SMALL))
    assert max(len(conversation.spans) for conversation in conversations) > 1
    for conversation in conversations:
        *failed, last = conversation.spans
        assert bench.right(replace(conversation, spans=[last]))
        assert not any(bench.right(replace(conversation, spans=[span])) for span in failed)


def test_refreshed_answers_are_those_of_the_present_model(bench: Any) -> None:
    recipe = bench.make(RFT, batch=8, group_size=64, refresh=True, **SMALL)
    before = recipe.collect(1)
    assert all(bench.right(conversation) for conversation in chain(*before.groups))
    assert 0 < before.metrics["success"] < 1
    bench.disturb()
    assert recipe.collect(1).metrics != before.metrics


def test_only_refreshed_answers_are_charged_by_the_papers_formula(bench: Any) -> None:
    for refresh, factor in ((False, 0.0), (True, 6.0)):
        bench.make(RFT, refresh=refresh, **SMALL)
        assert bench.ledger.buffer_factor == factor


def test_nothing_right_is_said_in_one_line(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftgym.episodes.DecisionRecord.solved", False)
    with pytest.raises(ConfigError, match="rft: none of the answers to 12 problems was right"):
        bench.make(RFT, **SMALL).collect(1)
    fresh = bench.make(RFT, batch=8, refresh=True, **SMALL).collect(1)
    assert (fresh.groups, fresh.metrics) == ([], {"success": 0.0})


def test_what_is_sampled_beforehand_is_a_finite_set() -> None:
    with pytest.raises(ValidationError, match="each is sampled before the first step"):
        RFT.Settings(problems=None)
    RFT.Settings(problems=None, refresh=True)
