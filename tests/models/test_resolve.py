"""A policy, a model with its chat format, or a name: each gives what answers."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.loading.load import load_policy
from shiftgym.models.loading.shipped import WEIGHTS
from shiftgym.models.resolve import PolicyLike, resolve_policy
from shiftgym.policies.base import Policy
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.registry import build_task

TASK = build_task("points")


def resolved(given: PolicyLike, temperature: float) -> Policy:
    return resolve_policy(given, TASK, max_new_tokens=7, seed=3)(temperature)


def test_a_policy_is_itself_at_every_temperature() -> None:
    policy = ScriptedPolicy(["24"])
    assert resolved(policy, 1.0) is resolved(policy, 0.0) is policy


def test_the_expert_is_that_of_the_task() -> None:
    assert isinstance(resolved("expert", 1.0), ExpertPolicy)


@pytest.mark.parametrize("given", ["points-0", WEIGHTS / "points-0", load_policy("points-0")], ids=type)
def test_a_model_answers_at_the_temperature_asked_for(given: str | Path | tuple) -> None:
    policy = resolved(given, 0.5)
    assert isinstance(policy, ModelPolicy)
    assert (policy.temperature, policy.max_new_tokens, policy.seed) == (0.5, 7, 3)


def test_a_model_is_loaded_once() -> None:
    at = resolve_policy("points-0", TASK, max_new_tokens=7, seed=3)
    assert at(0.0).model is at(1.0).model


def test_another_name_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="'points' is no backbone.*nearest is 'points-"):
        resolved("points", 1.0)
