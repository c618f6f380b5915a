"""Pictures of hands: pure, legible, inside the canvas, and disturbed as much as asked."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from shiftgym.tasks.points.deck import RANKS
from shiftgym.tasks.points.faces import DESIGNS, face
from shiftgym.tasks.points.picture import HandPicture

HAND = (("10", "H"), ("A", "S"), ("Q", "D"), ("7", "C"))
SUITS = "SCHD"
CARDS = [(rank, suit) for rank in RANKS for suit in SUITS]
designs = pytest.mark.parametrize("design", DESIGNS)


def drawn(cards=HAND, design="classic", nuisance=0.0, size=128, seed=0):
    return HandPicture(tuple(cards), design, nuisance, size, seed).draw()


def array(picture):
    return np.asarray(picture, dtype=int)


def off_table(cards, design, nuisance, size, seed):
    """Where the picture is not the empty table in the same light; a card's soft edge of shadow may be the table's."""
    hand = HandPicture(tuple(cards), design, nuisance, size, seed)
    table = hand.lit(Image.new("RGB", (size, size), DESIGNS[design].table))
    return np.abs(array(hand.draw()) - array(table)).max(2) > 12


@designs
@pytest.mark.parametrize("nuisance", [0.0, 0.6])
def test_equal_fields_give_equal_bytes(design, nuisance):
    first = drawn(design=design, nuisance=nuisance, seed=5).tobytes()
    face.cache_clear()
    drawn(CARDS[:4], design=design, nuisance=nuisance, seed=6)
    assert drawn(design=design, nuisance=nuisance, seed=5).tobytes() == first


@pytest.mark.parametrize("size", [96, 128, 300, 1200])
@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_size_and_mode(size, count):
    picture = drawn(CARDS[:count], size=size, nuisance=float(size == 128))
    assert (picture.mode, picture.size) == ("RGB", (size, size))


@designs
@pytest.mark.parametrize("nuisance", [0.0, 0.5, 1.0])
def test_cards_stay_on_the_table(design, nuisance):
    for count in (3, 4, 5, 6):
        for seed in range(6):
            found = off_table(CARDS[seed : seed + count], design, nuisance, 200, seed)
            assert found.mean() > 0.1
            assert not any(edge.any() for edge in (found[0], found[-1], found[:, 0], found[:, -1]))


@designs
def test_cards_do_not_cover_each_other(design):
    """Between two cards is a column of nothing but table."""
    for seed in range(8):
        found = off_table(HAND, design, 1.0, 400, seed)
        assert not found[:, [100, 200, 300]].any()
        assert found[:, [50, 150, 250, 350]].any(0).all()


def test_other_designs_and_other_counts_are_other_pictures():
    assert len({drawn(design=design).tobytes() for design in DESIGNS}) == len(DESIGNS)
    assert len({drawn(HAND[:3] + HAND[:extra]).tobytes() for extra in range(4)}) == 4


@designs
def test_no_nuisance_no_seed(design):
    assert drawn(design=design, seed=1).tobytes() == drawn(design=design, seed=2).tobytes()
    disturbed = {drawn(design=design, nuisance=0.3, seed=seed).tobytes() for seed in range(5)}
    assert len(disturbed) == 5


@designs
def test_nuisance_grows(design):
    clean = array(drawn(design=design))
    steps = [
        np.mean([np.abs(array(drawn(design=design, nuisance=step, seed=seed)) - clean).mean() for seed in range(12)])
        for step in (0.02, 0.25, 0.5, 1.0)
    ]
    assert steps[0] < 2
    assert all(more > 1.2 * less for less, more in pairwise(steps))


def test_cards_lie_where_the_paper_has_them():
    """The paper's canvas: 1200 pixels, cards of 270 by 378 at 5, 302, 599 and 896 from the left, 411 from the top."""
    cards = array(drawn([("A", "H")] * 4, size=1200)).max(2) > max(DESIGNS["classic"].table)
    rows, columns = np.flatnonzero(cards.any(1)), np.flatnonzero(cards[600])
    assert (rows[0], len(rows)) == (411, 378)
    assert len(columns) == pytest.approx(4 * 270, abs=2)
    starts = columns[np.diff(columns, prepend=-9) > 1]
    assert starts.tolist() == pytest.approx([5, 302, 599, 896], abs=20)


def test_importing_loads_no_pillow():
    code = "import sys, shiftgym.tasks.points.picture; print({'PIL', 'numpy', 'matplotlib'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_drawing_loads_no_matplotlib():
    code = (
        "import sys; from shiftgym.tasks.points.picture import HandPicture; "
        "HandPicture((('A', 'S'),) * 3, 'classic', 1.0, 128, 0).draw(); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
