"""Measures of memorisation and forgetting, on cases whose answer is known."""

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from shiftgym.evaluation.probes import Probe, Subject
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.loading.load import load_policy
from shiftgym.policies.base import Answer, Transcript
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.policies.text_chat import TextChat
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.points.deck import FACES, kind_of_hand
from shiftgym.tasks.registry import build_task


@pytest.fixture(scope="module")
def task() -> Task:
    splits = {"train": {}, "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test", "faces": True}}
    return build_task("points", options={"limit": 2}, splits=splits)


@pytest.fixture(scope="module")
def tiny(tiny_points: Path) -> tuple[PreTrainedModel, ChatFormat]:
    return load_policy(str(tiny_points))


@pytest.fixture(scope="module")
def start(tiny: tuple[PreTrainedModel, ChatFormat], task: Task) -> Subject:
    return local(*tiny, task)


@pytest.fixture(scope="module")
def probe(start: Subject, task: Task) -> Probe:
    """Of a branch that learns from the expert's answers to twenty problems."""
    learned = {task.expert(task.start(task.problem("train", index))) for index in range(20)}
    return make(start, task, learned)


def make(start: Subject, task: Task, learned: set[str] | None = None, temperature: float = 1.0) -> Probe:
    splits = ["train", "rule_ood"]
    return Probe(start, task, splits=splits, problems=range(3), samples=4, temperature=temperature, learned=learned)


def local(model: PreTrainedModel, chat_format: ChatFormat, task: Task) -> Subject:
    return Subject.local(model, chat_format, task, seed=0, max_new_tokens=8)


def test_a_copy_of_the_start_is_no_way_from_it(
    probe: Probe, tiny: tuple[PreTrainedModel, ChatFormat], task: Task
) -> None:
    model, chat_format = tiny
    rows = probe.measure(local(copy.deepcopy(model), ChatFormat.of(model, chat_format.reader), task))
    assert [(row["split"], row["index"]) for row in rows] == [("train", k) for k in range(3)] + [
        ("rule_ood", k) for k in range(3)
    ]
    for row in rows:
        assert row["kl_to_start"] == row["kl_from_start"] == 0
        assert list(row["pass_at"]) == ["1", "2", "4"]
        assert set(row["memorised"]) == {"reordered", "one card exchanged", "reworded"}
        assert row["copied"] == 0, "noise is no copy"


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_divergence_of_a_known_pair_is_the_closed_form(
    start: Subject, tiny: tuple[PreTrainedModel, ChatFormat], task: Task, temperature: float
) -> None:
    """Output weights of zero make a model uniform over its vocabulary, whatever it read."""
    model, chat_format = tiny
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.get_output_embeddings().weight.zero_()
    log_size = math.log(other.get_output_embeddings().weight.shape[0])

    def expected(answered: Transcript | None, *, of_start: bool) -> float:
        """KL(start || uniform) is log V - H(start), and KL(uniform || start) is -log V - the mean of log start."""
        assert answered is not None
        ((first, stop),) = answered.spans
        logits = model(input_ids=torch.tensor([answered.ids])).logits[0, first - 1 : stop - 1]
        logs = (logits / temperature).log_softmax(-1)
        steps = log_size + (logs.exp() * logs).sum(-1) if of_start else -log_size - logs.mean(-1)
        return steps.sum().item()

    probe, uniform = make(start, task, temperature=temperature), local(other, chat_format, task)
    rows = probe.measure(uniform)
    drawn = {split: probe._sampled(uniform, problems, 4) for split, problems in probe._problems.items()}
    for row in rows:
        before, after = (of[row["split"]][row["index"]][0].decisions[0].transcript for of in (probe._before, drawn))
        assert row["kl_from_start"] == pytest.approx(expected(before, of_start=True), rel=1e-3)
        assert row["kl_to_start"] == pytest.approx(expected(after, of_start=False), rel=1e-3)
        assert row["kl_from_start"] != pytest.approx(row["kl_to_start"], rel=1e-2)


def _with_a_token_more(model: PreTrainedModel, chat_format: ChatFormat) -> tuple[PreTrainedModel, ChatFormat]:
    """What trainers do that want a token of their own for padding."""
    reader = copy.deepcopy(chat_format.tokenizer)
    reader.add_special_tokens({"additional_special_tokens": ["<|more|>"]})
    model.resize_token_embeddings(len(reader), mean_resizing=False)
    return model, ChatFormat.of(model, reader)


def _with_a_vocabulary_exchanged(model: PreTrainedModel, chat_format: ChatFormat) -> tuple[PreTrainedModel, ChatFormat]:
    """Of the same size, but one token has another name."""
    reader = copy.deepcopy(chat_format.tokenizer)
    reader.get_vocab = lambda: {f"other {token}": number for token, number in chat_format.tokenizer.get_vocab().items()}
    return model, ChatFormat.of(model, reader)


def _with_padded_logits(model: PreTrainedModel, chat_format: ChatFormat) -> tuple[PreTrainedModel, ChatFormat]:
    model.resize_token_embeddings(len(chat_format.tokenizer) + 64, mean_resizing=False)
    return model, chat_format


@pytest.mark.parametrize("change", [_with_a_token_more, _with_a_vocabulary_exchanged, _with_padded_logits])
def test_there_is_no_divergence_between_models_whose_tokens_differ(
    probe: Probe, tiny: tuple[PreTrainedModel, ChatFormat], task: Task, change: Callable[..., Any]
) -> None:
    model, chat_format = tiny
    rows = probe.measure(local(*change(copy.deepcopy(model), chat_format), task))
    assert {(row["kl_to_start"], row["kl_from_start"]) for row in rows} == {(None, None)}
    assert all(list(row["pass_at"]) == ["1", "2", "4"] for row in rows)


def test_another_chat_template_leaves_the_tokens_as_they_are(
    probe: Probe, tiny: tuple[PreTrainedModel, ChatFormat], task: Task
) -> None:
    """The start and its copy read the same tokens, whoever's template wrote them."""
    model, chat_format = tiny
    reader = copy.deepcopy(chat_format.tokenizer)
    reader.chat_template = "24 " + reader.chat_template
    rows = probe.measure(local(model, ChatFormat.of(model, reader), task))
    assert {(row["kl_to_start"], row["kl_from_start"]) for row in rows} == {(0, 0)}


class _Lucky:
    """Right in its samples 0 and 1, at every decision."""

    def __init__(self, task: Task) -> None:
        self.task, self.noise = task, list[Names]()

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        self.noise += noise
        answers = [
            Answer(self.task.expert(decision) if int(sample) < 2 else "", 0, "end")
            for decision, (*_, sample, _) in zip(decisions, noise, strict=True)
        ]
        return TextChat(decisions, lambda _: answers)


def test_who_has_no_tokens_has_everything_but_a_divergence(start: Subject, task: Task) -> None:
    """An endpoint that is greedily right on problems 1 and 2 as they are stated, from a start that is on 0 and 1."""

    def knows(*known: int) -> ScriptedPolicy:
        stated = [task.problem(split, index) for split in ("train", "rule_ood") for index in known]
        return ScriptedPolicy(lambda decision, _: task.expert(decision) if decision.problem in stated else "")

    lucky = _Lucky(task)
    asked = []

    def policy(temperature: float) -> ScriptedPolicy | _Lucky:
        asked.append(temperature)
        return knows(1, 2) if temperature == 0 else lucky

    endpoint = Subject(policy)
    began = Subject(lambda temperature: knows(0, 1) if temperature == 0 else pytest.fail("it is not asked for samples"))
    rows = make(began, task).measure(endpoint)
    assert len(rows) == 6
    for row in rows:
        right = float(row["index"] > 0)
        assert row["kl_to_start"] is None
        assert row["kl_from_start"] is None
        assert row["pass_at"] == pytest.approx({"1": 1 / 2, "2": 5 / 6, "4": 1})
        assert row["retained"] == (0, 1, None)[row["index"]]
        assert row["memorised"] == {"reordered": right, "one card exchanged": right, "reworded": right}
        assert row["copied"] is None
    assert {*asked} == {0, 1}
    assert lucky.noise == [
        ["train", "probe", split, index, sample, 0]
        for split in ("train", "rule_ood")
        for index in range(3)
        for sample in range(4)
    ]
    mixed = [*make(began, task).measure(start), *make(start, task).measure(endpoint)]
    assert {(row["kl_to_start"], row["kl_from_start"]) for row in mixed} == {(None, None)}


def test_an_answer_of_the_training_data_is_a_copy(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    task = probe._task
    problem = task.problem("train", 0)
    written = task.expert(task.start(problem))
    assert written in probe._learned
    monkeypatch.setattr("shiftgym.models.conversations.chat.ChatFormat.text", lambda self, ids: written)
    rows = probe.measure(probe.start)
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
