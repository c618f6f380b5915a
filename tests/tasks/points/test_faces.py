"""Card faces: red suits are red, every card is told apart, large ones are detailed."""

import numpy as np
import pytest

from shiftgym.tasks.points.deck import LOOKS, RANKS, design_of
from shiftgym.tasks.points.faces import DESIGNS, DETAILED, VARIANTS, face, margin

SUITS = "SCHD"
CARDS = [(rank, suit) for rank in RANKS for suit in SUITS]
designs = pytest.mark.parametrize("design", DESIGNS)


def array(picture):
    return np.asarray(picture, dtype=int)


def ground(rank, suit, design, width, variant=0):
    """The card without its margin, over white."""
    sprite = face(rank, suit, design, width, variant)
    edge = margin(width)
    return array(sprite.convert("RGB").crop((edge, edge, sprite.width - edge, sprite.height - edge)))


@designs
@pytest.mark.parametrize("width", [28, DETAILED])
def test_red_suits_are_red_and_black_suits_are_not(design, width):
    for rank, suit in CARDS:
        for variant in range(VARIANTS):
            red, green, blue = np.moveaxis(ground(rank, suit, design, width, variant), 2, 0)
            reddish = (red - np.maximum(green, blue) > 45).sum()
            assert (reddish > 0.01 * red.size) if suit in "HD" else reddish == 0, (rank, suit, variant)


@designs
@pytest.mark.parametrize("variant", range(VARIANTS))
def test_every_card_looks_different(design, variant):
    """At 128 pixels: ranks by their glyph, suits by their symbol."""
    faces = np.array([ground(*card, design, 28, variant).ravel() for card in CARDS], dtype=np.int16)
    for one, pixels in enumerate(faces):
        distances = np.abs(faces - pixels).mean(1)
        for other, distance in enumerate(distances):
            same_rank = CARDS[one][0] == CARDS[other][0]
            assert one == other or distance > (1.0 if same_rank else 1.7), (CARDS[one], CARDS[other])


def test_large_cards_are_detailed():
    """A small card has one rank over one suit; a large one is the same upside down."""
    plain, detailed = (ground("2", "H", "classic", width).mean(2) < 200 for width in (DETAILED - 1, DETAILED))
    assert (plain != plain[::-1, ::-1]).mean() > 0.1
    assert (detailed != detailed[::-1, ::-1]).mean() < 0.01


def test_every_look_has_a_design():
    assert [design_of(look) for look in LOOKS] == ["classic"] * 3 + ["modern", "handwritten", "faint"]
    assert set(map(design_of, LOOKS)) == set(DESIGNS)
