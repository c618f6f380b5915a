"""GeneralPoints in pictures: the same hands, shown instead of named."""

import json
from dataclasses import asdict

import pytest

from shiftgym.messages import recorded
from shiftgym.tasks.check import check_task
from shiftgym.tasks.registry import build_task

SPLITS = {
    "train": {"look": "black", "nuisance": 0.25},
    "look_ood": {"look": "red", "nuisance": 0.25, "hands": "test"},
}


@pytest.fixture(scope="module")
def seen():
    return build_task("points", options={"modality": "vision"}, splits=SPLITS)


@pytest.fixture(scope="module")
def named():
    return build_task("points", splits=SPLITS)


def test_hands_are_the_same_in_text_and_in_pictures(seen, named):
    for index in range(50):
        shown, said = seen.problem("train", index), named.problem("train", index)
        assert (shown.cards, shown.rule) == (said.cards, said.rule)
        assert said.picture is None
        assert shown.picture.cards == tuple((card.rank, card.suit) for card in shown.cards)


def test_the_prompt_shows_the_cards_and_does_not_name_them(seen, named):
    decision = seen.start(seen.problem("train", 3))
    (message,) = decision.prompt
    assert message["pictures"] == (decision.problem.picture,)
    assert "the cards in the picture" in message["content"]
    said = named.start(named.problem("train", 3)).prompt[0]["content"]
    cards = json.dumps(list(decision.problem.ranks))
    assert message["content"] == said.replace(f"the cards {cards}", "the cards in the picture")
    assert json.loads(json.dumps(recorded(decision.prompt)))[0]["pictures"][0]["design"] == "classic"


def test_a_look_changes_the_suits_that_are_shown(seen):
    suits = {suit for index in range(20) for _, suit in seen.problem("look_ood", index).picture.cards}
    assert suits == {"H", "D"}


def test_text_never_draws(named, monkeypatch):
    monkeypatch.setattr("shiftgym.tasks.points.picture.HandPicture.draw", lambda self: pytest.fail("drawn"))
    decision = named.start(named.problem("train", 0))
    assert "pictures" not in decision.prompt[0]
    assert decision.judge(named.expert(decision)).correct


def test_misread_cards_are_a_verdict_of_their_own_and_order_does_not_count(seen):
    decision = seen.start(seen.problem("train", 0))
    answer = json.loads(seen.expert(decision))
    assert decision.judge(json.dumps(answer)).outcome == "correct"
    turned = {**answer, "cards": answer["cards"][::-1], "number": answer["number"][::-1]}
    assert decision.judge(json.dumps(turned)).outcome == "correct"
    other = next(rank for rank in "A23456789" if rank not in answer["cards"])
    for cards in ([other, *answer["cards"][1:]], answer["cards"][1:], [], "A 2 3 4", None, 7):
        verdict = decision.judge(json.dumps({**answer, "cards": cards}))
        assert (verdict.outcome, verdict.reward) == ("wrong_vision", -1.5)


def test_recognition_is_measured_apart_from_success(seen, named):
    decision = seen.start(seen.problem("train", 0))
    answer = json.loads(seen.expert(decision))
    assert seen.diagnose(decision, json.dumps(answer)).recognised is True
    assert seen.diagnose(decision, json.dumps({**answer, "formula": "1+1"})).recognised is True
    assert seen.diagnose(decision, json.dumps({**answer, "cards": ["A"]})).recognised is False
    assert seen.diagnose(decision, "no object at all").recognised is False
    said = named.start(named.problem("train", 0))
    assert named.diagnose(said, named.expert(said)).recognised is None


def test_the_task_in_pictures_keeps_the_contract():
    found = check_task("points", options={"modality": "vision"}, splits=SPLITS)
    assert [finding for finding in found if not finding.ok] == []


def test_a_hand_with_its_picture_is_a_plain_record(seen):
    record = asdict(seen.problem("train", 0))
    assert json.loads(json.dumps(record))["picture"]["size"] == 128
