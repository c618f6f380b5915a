"""The deck: ranks, suits, looks, and which hands are for training and which are for testing."""

import random
from dataclasses import dataclass
from functools import cache
from typing import Literal

from shiftgym.tasks.partition import kind_of

RANKS = ("A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K")
FACES = ("J", "Q", "K")

Look = Literal["black", "red", "mixed", "modern", "handwritten", "faint"]
Design = Literal["classic", "modern", "handwritten", "faint"]
Hands = Literal["train", "test", "all"]

BLACK, RED = ("S", "C"), ("H", "D")
LOOKS: dict[Look, tuple[str, ...]] = {
    "black": BLACK,
    "red": RED,
    "mixed": BLACK + RED,
    "modern": BLACK + RED,
    "handwritten": BLACK + RED,
    "faint": BLACK + RED,
}
"""The suits of a look."""

TEST_SHARE = 0.3
"""Share of hands that are kept for testing."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card: the rank as it is printed and the suit's letter (S, C, H, D)."""

    rank: str
    suit: str


def design_of(look: Look) -> Design:
    """How the cards of a look are drawn; the looks that are a choice of suits have the classic design."""
    return "classic" if look == "black" or look == "red" or look == "mixed" else look


@cache
def _deck(look: Look) -> tuple[Card, ...]:
    return tuple(Card(rank, suit) for suit in LOOKS[look] for rank in RANKS)


def deal(rng: random.Random, cards: int, look: Look) -> tuple[Card, ...]:
    """`cards` different cards from a full deck (52 cards; 26 in a one-colour look), in random order."""
    return tuple(rng.sample(_deck(look), cards))


def kind_of_hand(ranks: tuple[str, ...]) -> Hands:
    """Whether a hand is a `train` or a `test` hand. The partition is the same in every study, so that a shipped
    backbone can keep clear of the test hands too.

    J, Q and K are 10 under the training rule, so K 3 8 8 and 10 3 8 8 ask for the same sums. They are therefore one
    hand here: a test hand never has a numerical twin among the training hands.
    """
    return _kind(tuple(sorted("10" if rank in FACES else rank for rank in ranks)))


@cache
def _kind(collapsed: tuple[str, ...]) -> Hands:
    return kind_of(" ".join(collapsed), TEST_SHARE)
