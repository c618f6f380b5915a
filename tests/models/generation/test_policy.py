"""A model as a policy, on the path that it takes."""

from typing import Any

import pytest
from tests.models.families import text_model

from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.generation.plain import PlainPolicy
from shiftgym.models.generation.policy import model_policy


@pytest.mark.parametrize(("family", "kind"), [("Llama", ModelPolicy), ("Bloom", PlainPolicy), ("RWKV", PlainPolicy)])
def test_the_path_decides(family: str, kind: type[Any]) -> None:
    policy = model_policy(*text_model(family), temperature=0.3, max_new_tokens=5, seed=9)
    assert type(policy) is kind
    assert isinstance(policy, kind)
    assert (policy.temperature, policy.max_new_tokens, policy.seed) == (0.3, 5, 9)


def test_the_plain_path_is_taken_as_the_model_needs_it() -> None:
    ways = []
    for family in ("Bloom", "RWKV"):
        policy = model_policy(*text_model(family), temperature=0.3, max_new_tokens=5, seed=9)
        assert isinstance(policy, PlainPolicy)
        ways.append((policy.padded, policy.cached))
    assert ways == [(True, True), (False, False)]
