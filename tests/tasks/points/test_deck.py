"""The deck, and which hands are dealt."""

import pytest

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


def test_training_and_test_hands_are_disjoint():
    train, test = hands(3000, hands="train"), hands(3000, hands="test")
    assert not kinds(train) & kinds(test), "no test hand may have a numerical twin among the training hands"
    assert len(kinds(train)) > 200
    assert len(kinds(test)) > 100
    assert not kinds(train) & kinds(hands(1000, **OOD))


def test_out_of_distribution_hands_have_a_face_card():
    assert all(set(hand.ranks) & set(FACES) for hand in hands(500, **OOD))
    assert any(not set(hand.ranks) & set(FACES) for hand in hands(500))
