"""Measures of memorisation and forgetting, on cases whose answer is known."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shiftgym.evaluation.probes import Probe
from shiftgym.models.conversation import Conversation
from shiftgym.models.load import load_policy
from shiftgym.tasks.points.deck import FACES, kind_of_hand
from shiftgym.tasks.registry import build_task


@pytest.fixture(scope="module")
def probe(tiny_points: Path) -> Probe:
    """Of a branch that learns from the expert's answers to twenty problems."""
    splits = {"train": {}, "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test", "faces": True}}
    task = build_task("points", options={"limit": 2}, splits=splits)
    return Probe(
        *load_policy(str(tiny_points)),
        task,
        splits=["train", "rule_ood"],
        problems=3,
        samples=4,
        temperature=1.0,
        max_new_tokens=8,
        seed=0,
        learned={task.expert(task.start(task.problem("train", index))) for index in range(20)},
    )


def test_the_start_is_no_way_from_itself(probe: Probe) -> None:
    rows = probe.measure(probe._start.model)
    assert [(row["split"], row["index"]) for row in rows] == [("train", k) for k in range(3)] + [
        ("rule_ood", k) for k in range(3)
    ]
    for row in rows:
        assert row["kl_to_start"] == pytest.approx(0, abs=1e-5)
        assert row["kl_from_start"] == pytest.approx(0, abs=1e-5)
        assert list(row["pass_at"]) == ["1", "2", "4"]
        assert set(row["memorised"]) == {"reordered", "one card exchanged", "reworded"}
        assert row["copied"] == 0, "noise is no copy"


def test_the_divergence_of_a_known_pair_is_the_closed_form(probe: Probe) -> None:
    """Output weights of zero make a model uniform over its vocabulary, whatever it read."""
    uniform = copy.deepcopy(probe._start.model)
    with torch.no_grad():
        uniform.get_output_embeddings().weight.zero_()
    log_size = math.log(uniform.get_output_embeddings().weight.shape[0])

    def expected(conversation: Conversation, *, of_start: bool) -> float:
        """KL(start || uniform) is log V - H(start), and KL(uniform || start) is -log V - the mean of log start."""
        ((start, stop),) = conversation.spans
        logs = (
            probe._start.model(input_ids=torch.tensor([conversation.ids]))
            .logits[0, start - 1 : stop - 1]
            .log_softmax(-1)
        )
        steps = log_size + (logs.exp() * logs).sum(-1) if of_start else -log_size - logs.mean(-1)
        return steps.sum().item()

    rows = probe.measure(uniform)
    drawn = {split: probe._answers(replace(probe._start, model=uniform), split, 4) for split in probe._before}
    for row in rows:
        (((from_start, _), *_),) = probe._before[row["split"]][row["index"]]
        (((to_start, _), *_),) = drawn[row["split"]][row["index"]]
        assert row["kl_from_start"] == pytest.approx(expected(from_start, of_start=True), rel=1e-3)
        assert row["kl_to_start"] == pytest.approx(expected(to_start, of_start=False), rel=1e-3)
        assert row["kl_from_start"] != pytest.approx(row["kl_to_start"], rel=1e-2)


def test_an_answer_of_the_training_data_is_a_copy(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    task = probe._task
    problem = task.problem("train", 0)
    written = task.expert(task.start(problem))
    assert written in probe._learned
    monkeypatch.setattr("shiftgym.models.chat.ChatFormat.text", lambda self, ids: written)
    rows = probe.measure(probe._start.model)
    assert [row["copied"] for row in rows] == [1] * 6
    right = [row["pass_at"]["1"] for row in rows if row["split"] == "train"]
    assert right == [1, 0, 0], "it is right for the one problem it belongs to"


def test_neighbours_of_a_hand_can_be_solved_and_differ_in_one_thing() -> None:
    splits = {
        "black": {"look": "black"},
        "rule_ood": {"rule": "faces_as_11_12_13", "faces": True, "hands": "test"},
        "five": {"cards": 5},
    }
    task = build_task("points", options={"modality": "vision"}, splits=splits)
    for split in splits:
        for index in range(50):
            hand = task.problem(split, index)
            near = task.perturbed(hand)
            assert near == task.perturbed(hand)
            for other in near.values():
                assert task.start(other).judge(task.expert(task.start(other))).correct
            reordered, exchanged = near["reordered"].cards, near["one card exchanged"].cards
            assert reordered != hand.cards
            assert sorted(map(str, reordered)) == sorted(map(str, hand.cards))
            assert sum(a != b for a, b in zip(hand.cards, exchanged, strict=True)) == 1
            assert len(set(exchanged)) == len(exchanged)
            assert kind_of_hand(near["one card exchanged"].ranks) == kind_of_hand(hand.ranks), "no test hand is trained"
            assert split != "rule_ood" or {*FACES} & {*near["one card exchanged"].ranks}, "the rule still matters"
            assert near["reordered"].ranks != hand.ranks, "one sees it in words, too"
            assert [card[0] for card in near["reordered"].picture.cards] == [card.rank for card in reordered]
            before, after = (task.start(each).prompt[0]["content"] for each in (hand, near["reworded"]))
            assert before != after
            assert sorted(before) == sorted(after)


def test_neighbours_of_a_route_go_the_same_way_and_differ_in_one_thing() -> None:
    task = build_task("navigation", splits={"train": {}, "relative": {"rule": "relative", "routes": "test"}})
    differ = dict.fromkeys(("reworded", "other landmarks"), 0)
    for split in task.splits:
        for index in range(20):
            route = task.problem(split, index)
            near = task.perturbed(route)
            assert near == task.perturbed(route)
            for kind, other in near.items():
                differ[kind] += other != route
                assert [(s.x, s.y, s.heading, s.expected) for s in other.stops] == [
                    (s.x, s.y, s.heading, s.expected) for s in route.stops
                ]
                assert other.rule == route.rule
            assert near["other landmarks"].wordings == route.wordings
    assert min(differ.values()) > 30, "nearly every route has neighbours"


@pytest.mark.parametrize("name", ["points", "navigation"])
def test_a_split_may_ask_for_experts_of_another_style(name: str) -> None:
    task = build_task(name, splits={"train": {}, "short": {"expert": "direct"}})
    for split, steps in (("train", True), ("short", False)):
        decision = task.start(task.problem(split, 0))
        assert ('"steps"' in task.expert(decision)) == steps
        assert decision.judge(task.expert(decision)).correct
