"""Which hands are dealt."""

from dataclasses import FrozenInstanceError, asdict

import pytest
from pydantic import ValidationError

from shiftgym.errors import ConfigError
from shiftgym.tasks.points.deck import FACES
from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.registry import build_task

OOD = {"rule": "faces_as_11_12_13", "hands": "test", "faces": True}


def hands(count, seed=0, split="train", **setting):
    task = build_task("points", splits={split: setting}, seed=seed)
    return [task.problem(split, index) for index in range(count)]


def kinds(some):
    """Hands as the multisets of their values under the training rule."""
    return {tuple(sorted(Rule(10, 10, 10).values(hand.ranks))) for hand in some}


@pytest.mark.parametrize("setting", [{}, {"look": "black", "hands": "all"}, {"look": "red"}, {"cards": 6}, OOD])
def test_cards_come_from_one_deck(setting):
    for hand in hands(300, **setting):
        assert len(set(hand.cards)) == len(hand.cards) == setting.get("cards", 4)
        assert {card.suit for card in hand.cards} <= set({"black": "SC", "red": "HD"}.get(setting.get("look"), "SCHD"))


@pytest.mark.parametrize("setting", [{}, OOD, {"rule": "random"}, {"target": 36}])
def test_hands_can_be_solved(setting, reachable):
    for hand in hands(150, **setting):
        assert hand.target in reachable(hand.rule.values(hand.ranks))


def test_training_and_test_hands_are_disjoint():
    train, test = hands(3000, hands="train"), hands(3000, hands="test")
    assert not kinds(train) & kinds(test), "no test hand may have a numerical twin among the training hands"
    assert len(kinds(train)) > 200
    assert len(kinds(test)) > 100
    assert not kinds(train) & kinds(hands(1000, **OOD))


def test_out_of_distribution_hands_have_a_face_card():
    assert all(set(hand.ranks) & set(FACES) for hand in hands(500, **OOD))
    assert any(not set(hand.ranks) & set(FACES) for hand in hands(500))


def test_the_same_seed_gives_the_same_hand_in_any_order():
    assert hands(50) == hands(50)
    task = build_task("points")
    assert [task.problem("train", index) for index in reversed(range(50))] == hands(50)[::-1]


def test_seeds_share_few_hands():
    zero, one = hands(2000, seed=0), hands(2000, seed=1)
    assert sum(a.cards == b.cards for a, b in zip(zero, one, strict=True)) < 5
    assert len({hand.cards for hand in zero} & {hand.cards for hand in one}) < 20
    other_split = hands(2000, split="id")
    assert len({hand.cards for hand in zero} & {hand.cards for hand in other_split}) < 20


def test_a_hand_is_frozen_plain_data():
    hand = hands(1)[0]
    with pytest.raises(FrozenInstanceError):
        hand.index = 3
    assert asdict(hand)["rule"] == {"jack": 10, "queen": 10, "king": 10}


def test_a_setting_without_a_solvable_hand_says_so():
    with pytest.raises(ConfigError, match=r"splits\.train: no solvable hand"):
        hands(1, target=997, cards=3)


@pytest.mark.parametrize(
    "setting",
    [{"cards": 2}, {"cards": 7}, {"target": 0}, {"look": "blue"}, {"hands": "none"}, {"rules": "faces_as_ten"}],
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(ConfigError, match=f"splits.train.{next(iter(setting))}"):
        build_task("points", splits={"train": setting})
    with pytest.raises(ValidationError):
        type(build_task("points")).Setting(**setting)
