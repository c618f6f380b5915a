"""A model at a task, and what its ledger says of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.load import load_policy
from shiftgym.models.player import Player
from shiftgym.tasks.registry import build_task


@pytest.fixture
def player(tiny_points: Path) -> Player:
    model, chat_format = load_policy(str(tiny_points))
    task = build_task("points", options={"limit": 2})
    return Player(model, chat_format, task, seed=0, ledger=Ledger(ModelShape.of(model)), max_new_tokens=6)


def answers(player: Player, indices: Any) -> list[Any]:
    return [each for problem in player.answers("train", indices, 2, ["test"]) for ((each, _), *_) in problem]


def test_an_answer_is_named_by_its_problem_and_sample_alone(player: Player) -> None:
    def tokens(indices: list[int], size: int, name: str) -> list[list[int]]:
        *_, last = player.answers("train", indices, size, [name])
        return [conversation.ids for conversation, _ in last[0]]

    together = tokens([3, 1], 3, "test")
    assert tokens([1], 2, "test") == together[:2]
    assert tokens([1], 2, "other") != together[:2]


def test_log_probabilities_are_those_of_generation_and_are_charged(player: Player) -> None:
    sampled = answers(player, range(3))
    before = player.ledger.forward_flops
    for found, each in zip(player.logprobs(sampled), sampled, strict=True):
        assert found == pytest.approx(each.logprobs, abs=1e-4)
    assert player.ledger.forward_flops > before
    assert player.ledger.backward_flops == 0


def test_a_frozen_copy_stays_where_it_was_on_the_same_ledger(player: Player) -> None:
    kept = player.frozen()
    sampled = answers(player, range(2))
    assert player.divergences(sampled, kept.model) == pytest.approx([0, 0], abs=1e-5)
    with torch.no_grad():
        player.model.get_output_embeddings().weight.mul_(2)
    assert min(player.divergences(sampled, kept.model)) > 0.01
    assert kept.ledger is player.ledger


def test_the_expert_is_right_and_costs_nothing(player: Player) -> None:
    (conversation,) = player.expert("train", 0)
    ((start, stop),) = conversation.spans
    decision = player.task.start(player.task.problem("train", 0))
    assert decision.judge(player.chat_format.text(conversation.ids[start : stop - 1])).correct
    assert player.ledger.flops == 0


def test_a_critic_values_every_attempt_without_reading_the_last_answer(player: Player) -> None:
    critic = player.with_value_head()
    assert critic.value_head is not None
    with torch.no_grad():
        critic.value_head.outer.weight.fill_(0.1)
    conversations = critic.conversations(critic.play("train", [0, 1], [["a"], ["b"]]))
    values = critic.values(conversations)
    assert [len(each) for each in values] == [len(each.spans) for each in conversations] == [2, 2]
    changed = [replace(each, ids=[*each.ids[: each.spans[-1][0]], 0], weights=[]) for each in conversations]
    shorter = [replace(each, spans=[*each.spans[:-1], (each.spans[-1][0], each.spans[-1][0] + 1)]) for each in changed]
    for a, b in zip(critic.values(shorter), values, strict=True):
        assert a == pytest.approx(b, abs=1e-6)
