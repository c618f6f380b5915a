"""Measures of memorisation and forgetting, on cases whose answer is known."""

import copy
import math
from pathlib import Path

import pytest
import torch

from shiftgym.models.load import load_policy
from shiftgym.models.microbatches import Conversation
from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan
from shiftgym.studies.probes import Probe, local_inconsistency, pass_at, retention
from shiftgym.tasks.points.deck import FACES, kind_of_hand
from shiftgym.tasks.registry import build_task


def test_pass_at_k_is_the_chance_of_drawing_a_right_one() -> None:
    assert pass_at(10, 3, 1) == pytest.approx(0.3)
    assert pass_at(4, 2, 2) == pytest.approx(5 / 6)
    assert pass_at(64, 0, 64) == 0
    assert pass_at(64, 1, 64) == 1
    assert pass_at(5, 3, 3) == 1, "three drawn of five cannot all be among two"


def test_what_is_solved_but_not_when_changed_is_memorised() -> None:
    # Accuracy 3/4, of the solved two thirds hold: 3/4 (1 - 2/3).
    assert local_inconsistency([True, True, True, False], [True, True, False, True]) == pytest.approx(0.25)
    assert local_inconsistency([False, False], [True, False]) == 0


def test_what_was_solved_before_and_is_still_is_retained() -> None:
    assert retention([True, True, True, True, False], [True, False, True, True, True]) == pytest.approx(0.75)
    assert retention([False, False], [True, False]) is None


@pytest.fixture(scope="module")
def probe(faulty_file: Path) -> Probe:
    given = ['probes.splits=["train", "rule_ood"]', "probes.problems=3", "probes.samples=4", "branches.sft.problems=20"]
    study = load_study(faulty_file, given)
    model, chat_format = load_policy(study.model)
    return Probe(model, chat_format, study, next(branch for branch in plan(study) if branch.name == "sft"))


def test_the_start_is_no_way_from_itself(probe: Probe) -> None:
    rows = probe.measure(probe._start)
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
    uniform = copy.deepcopy(probe._start)
    with torch.no_grad():
        uniform.get_output_embeddings().weight.zero_()
    log_size = math.log(uniform.get_output_embeddings().weight.shape[0])

    def expected(sequence: Conversation, *, of_start: bool) -> float:
        """KL(start || uniform) is log V - H(start), and KL(uniform || start) is -log V - the mean of log start."""
        ((start, stop),) = sequence.spans
        logs = probe._start(input_ids=torch.tensor([sequence.ids])).logits[0, start - 1 : stop - 1].log_softmax(-1)
        steps = log_size + (logs.exp() * logs).sum(-1) if of_start else -log_size - logs.mean(-1)
        return steps.sum().item()

    rows = probe.measure(uniform)
    drawn = {split: probe._answers(uniform, split, 4) for split in probe._before}
    for row in rows:
        (((from_start, _), *_),) = probe._before[row["split"]][row["index"]]
        (((to_start, _), *_),) = drawn[row["split"]][row["index"]]
        assert row["kl_from_start"] == pytest.approx(expected(from_start, of_start=True), rel=1e-3)
        assert row["kl_to_start"] == pytest.approx(expected(to_start, of_start=False), rel=1e-3)
        assert row["kl_from_start"] != pytest.approx(row["kl_to_start"], rel=1e-2)


def test_an_answer_of_the_training_data_is_a_copy(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    task = probe._context.task
    problem = task.problem("train", 0)
    written = task.expert(task.start(problem))
    assert written in probe._data
    monkeypatch.setattr("shiftgym.models.chat.ChatFormat.text", lambda self, ids: written)
    rows = probe.measure(probe._start)
    assert [row["copied"] for row in rows] == [1] * 6
    right = [row["pass_at"]["1"] for row in rows if row["split"] == "train"]
    assert right == [1, 0, 0], "it is right for the one problem it belongs to"


@pytest.mark.parametrize("branch", ["ppo", "sft"])
def test_only_who_learns_from_the_expert_can_copy(faulty_file: Path, branch: str) -> None:
    small = ['probes.splits=["train"]', "probes.problems=1", "probes.samples=1"]
    study = load_study(faulty_file, small)
    model, chat_format = load_policy(study.model)
    probe = Probe(model, chat_format, study, next(each for each in plan(study) if each.name == branch))
    assert (probe._data is None) == (branch == "ppo")
    assert [row["copied"] is None for row in probe.measure(model)] == [branch == "ppo"]


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
