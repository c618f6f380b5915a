"""`shiftgym check` finds each kind of fault that a recipe can have, and nothing in one that has none."""

from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.training import check
from shiftgym.training.check import check_recipe
from shiftgym.training.recipe import Collection
from shiftgym.training.recipes.sft import SFT


class Forgetful(SFT):
    """Draws from a generator that no seed fixes."""

    name = "forgetful"

    def collect(self, step: int) -> Collection:
        groups = super().collect(step).groups
        return Collection(
            [groups[int(torch.randint(len(groups), ()))] for _ in groups], {"noise": torch.rand(()).item()}
        )


class Counting(SFT):
    """Keeps a state from step to step that a checkpoint does not hold."""

    name = "counting"

    def __init__(self, settings: Any, player: Any) -> None:
        super().__init__(settings, player)
        self._calls = 0

    def collect(self, step: int) -> Collection:
        self._calls += 1
        return super().collect(self._calls * 7)


class Prompted(SFT):
    """Learns prompts too."""

    name = "prompted"

    def collect(self, step: int) -> Collection:
        groups = super().collect(step).groups
        return Collection([[type(one)(one.ids, [(1, one.spans[0][1])]) for one in group] for group in groups])


class Everywhere(SFT):
    """Its loss has a gradient at every token."""

    name = "everywhere"

    def loss(self, scores: Any, batch: Any) -> Any:
        loss, metrics = super().loss(scores, batch)
        return loss + scores.hidden.pow(2).mean(), metrics


class Secret(SFT):
    """Runs the model behind the ledger's back."""

    name = "secret"

    def collect(self, step: int) -> Collection:
        collection = super().collect(step)
        with torch.no_grad():
            for batch in self.player.microbatches([one for group in collection.groups for one in group]):
                self.player.score(batch)
        return collection


class Infinite(SFT):
    """Weighs a token without end."""

    name = "infinite"

    def loss(self, scores: Any, batch: Any) -> Any:
        loss, metrics = super().loss(scores, batch)
        return loss * float("inf"), metrics


class Idle(SFT):
    """Learns nothing."""

    name = "idle"

    def collect(self, step: int) -> Collection:
        return Collection([])


SEED, KILLED, SPANS = "The same seed", "Killed after a checkpoint", "What is trained are answers"
GRADIENT, LEDGER, FINITE = "There is a gradient", "Every pass", "Losses, gradients and weights"


@pytest.mark.parametrize(
    ("kind", "broken", "detail"),
    [
        (Forgetful, {SEED, KILLED}, "metrics.jsonl differs"),
        (Counting, {KILLED}, "differ"),
        (Prompted, {SPANS}, "does not begin where an answer begins"),
        (Everywhere, {GRADIENT}, "tokens of prompts, feedback or padding are learned from"),
        (Secret, {LEDGER}, "FLOPs ran through it"),
        (Infinite, {SEED, KILLED, SPANS, GRADIENT, LEDGER, FINITE}, "the loss is not finite"),
        (Idle, {GRADIENT}, "nothing was learned"),
    ],
)
def test_each_fault_is_found_and_no_other(
    kind: type[SFT], broken: set[str], detail: str, monkeypatch: pytest.MonkeyPatch, tiny_points: Path
) -> None:
    monkeypatch.setattr(check, "load_recipe", lambda name: kind)
    found = {each.check: each.detail for each in check_recipe("mine", model=str(tiny_points)) if not each.ok}
    assert {next(name for name in found if name.startswith(start)) for start in broken} == set(found), found
    assert all(detail in text for text in found.values()), found


@pytest.mark.parametrize("lora", [None, {"rank": 2, "alpha": 4}], ids=["whole", "lora"])
@pytest.mark.parametrize("name", ["sft", "ppo", "distill", "replay"])
def test_shipped_recipes_are_sound(name: str, lora: dict[str, int] | None, tiny_points: Path) -> None:
    short = {"max_new_tokens": 8} if name != "sft" else {}
    findings = check_recipe(name, settings={**short, "lora": lora}, model=str(tiny_points))
    assert len(findings) == 6
    assert [finding for finding in findings if not finding.ok] == []
