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


def faults(kind: type[SFT], monkeypatch: pytest.MonkeyPatch, model: Path | None) -> dict[str, str]:
    """What is found, by the first words of what should hold."""
    monkeypatch.setattr(check, "load_recipe", lambda name: kind)
    if model is not None:
        monkeypatch.setattr(check, "MODEL", str(model))
    return {finding.check: finding.detail for finding in check_recipe("mine") if not finding.ok}


@pytest.mark.parametrize(
    ("kind", "check", "detail"),
    [
        (Forgetful, "The same seed", "metrics.jsonl differs"),
        (Counting, "Killed after a checkpoint", "differ"),
        (Prompted, "What is trained are answers", "does not begin where an answer begins"),
        (Everywhere, "There is a gradient", "tokens of prompts, feedback or padding are learned from"),
        (Secret, "Every pass", "FLOPs ran through it"),
        (Infinite, "Losses, gradients and weights", "not finite"),
        (Idle, "There is a gradient", "nothing was learned"),
    ],
)
def test_each_fault_is_found(
    kind: type[SFT], check: str, detail: str, monkeypatch: pytest.MonkeyPatch, tiny_points: Path
) -> None:
    found = faults(kind, monkeypatch, tiny_points)
    assert any(name.startswith(check) and detail in text for name, text in found.items()), found


@pytest.mark.parametrize("name", ["sft", "ppo", "distill"])
def test_shipped_recipes_are_sound(name: str, monkeypatch: pytest.MonkeyPatch, tiny_points: Path) -> None:
    monkeypatch.setattr(check, "MODEL", str(tiny_points))
    assert [
        finding
        for finding in check_recipe(name, settings={"max_new_tokens": 8} if name != "sft" else {})
        if not finding.ok
    ] == []
