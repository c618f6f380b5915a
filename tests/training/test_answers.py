"""Answers that do not change while a model is trained."""

from itertools import chain
from typing import Any

import pytest

from shiftgym.training.recipe import Recipe
from shiftgym.training.recipes.dpo import DPO
from shiftgym.training.recipes.replay import Replay
from shiftgym.training.recipes.rft import RFT
from shiftgym.training.recipes.sft import SFT


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (RFT, {"batch": 8, "group_size": 64}),
        (Replay, {"batch": 8, "share": 0.5}),
        (DPO, {"batch": 4, "group_size": 64}),
    ],
)
def test_a_resumed_branch_samples_the_same_and_does_not_pay_again(
    bench: Any, kind: type[Recipe], settings: dict[str, Any]
) -> None:
    straight, resumed = (bench.make(kind, problems=12, max_new_tokens=3, **settings) for _ in range(2))
    first = straight.collect(1)
    assert bench.ledger.tokens_generated > 0
    spent = bench.ledger.tokens_generated
    second, after = straight.collect(2), resumed.collect(2)
    assert bench.ledger.tokens_generated == spent
    assert [each.ids for each in chain(*second.groups)] == [each.ids for each in chain(*after.groups)]
    assert first.groups != second.groups


def test_answers_to_a_fixed_set_are_made_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(type(bench.task), "expert", lambda self, decision: asked.append("?") or "1")
    for problems, times in ((4, 4), (None, 12)):
        asked.clear()
        recipe = bench.make(SFT, batch=4, problems=problems)
        for step in (1, 2, 3):
            recipe.collect(step)
        assert len(asked) == times
