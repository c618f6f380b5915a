"""Landmark signs: a board with the name in the colours of the kind of landmark, and a crest with its pictogram."""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from shiftgym.seeds import rng
from shiftgym.tasks.fonts import font
from shiftgym.tasks.navigation.streetview.colours import Colour, hues

if TYPE_CHECKING:
    from PIL import Image

Polygon = tuple[float, ...]
"""x and y alternate, on a square of 10 by 10, y downwards."""

LETTERS = 64
"""Font size at which names are drawn before they are fitted."""
CONDENSED = 2.2
"""Letters are made taller than the font's, in proportion, by this at most."""
MARGIN = 0.055
"""Of the board's width, around the name."""
LINES = 4
"""A name is broken into no more."""


def _box(x: float, y: float, to_x: float, to_y: float) -> Polygon:
    return (x, y, to_x, y, to_x, to_y, x, to_y)


def _round(x: float, y: float, radius: float) -> Polygon:
    r, s = radius, radius * 0.4
    return (
        x - s,
        y - r,
        x + s,
        y - r,
        x + r,
        y - s,
        x + r,
        y + s,
        x + s,
        y + r,
        x - s,
        y + r,
        x - r,
        y + s,
        x - r,
        y - s,
    )


BOARDS: dict[str, tuple[str, tuple[Polygon, ...], tuple[Polygon, ...]]] = {
    "Hotel": ("14285c ffffff",
              (_box(0, 1.5, 1.2, 8.5), _box(1, 5, 10, 7), _box(8.8, 5, 10, 8.5), _box(2, 3, 5, 4.6)), ()),
    "Cafe": ("5a3219 fff1d0", ((1, 3, 7, 3, 6.3, 8, 1.7, 8), (6, 3.8, 9.5, 3.8, 8.8, 7, 6, 7), _box(0, 8.6, 9, 9.4)),
             ((7.2, 4.7, 8.4, 4.7, 8, 6.1, 7, 6.1),)),
    "Bar": ("1b1b1b ffd23c", ((0.5, 1, 9.5, 1, 5, 5.6), _box(4.5, 5, 5.5, 8.6), _box(2.5, 8.4, 7.5, 9.4)), ()),
    "Studio": ("6a1f7a ffffff", (_box(0.5, 3, 9.5, 8.6), _box(3.2, 1.4, 6.8, 3)), (_round(5, 5.8, 1.9),)),
    "Villa": ("f4efe0 7a4a1c", ((5, 0.5, 10, 5.2, 0, 5.2), _box(1.5, 5, 8.5, 9.5)), (_box(4.2, 6.2, 5.8, 9.5),)),
    "Bakery": ("f2b632 5a2408", ((1, 8, 0.3, 5, 2, 3, 5, 2.3, 8, 3, 9.7, 5, 9, 8),),
               ((3, 3.6, 3.8, 3.4, 3.2, 6, 2.4, 6),
                (5, 3.4, 5.8, 3.4, 5.2, 6, 4.4, 6), (7, 3.6, 7.8, 3.9, 7.2, 6, 6.4, 6))),
    "Bank": ("123f2c f2dfa0", ((5, 0.5, 10, 3.6, 0, 3.6), _box(1, 4, 2.6, 8), _box(4.2, 4, 5.8, 8), _box(7.4, 4, 9, 8),
             _box(0, 8.4, 10, 9.5)), ()),
    "Books": ("a8322a fff6e0", ((0, 2, 4.7, 3.2, 4.7, 9, 0, 7.8), (10, 2, 5.3, 3.2, 5.3, 9, 10, 7.8)), ()),
    "Cinema": ("e6e6e6 b00020", (_box(0.5, 1.5, 9.5, 8.5),),
               (*(_box(x, y, x + 1.1, y + 1.1) for x in (1.2, 3.4, 5.6, 7.8) for y in (2.1, 6.8)),
                _box(2.6, 3.8, 7.4, 6.2))),
    "Clinic": ("ffffff 1769c0", (_box(3.5, 0.8, 6.5, 9.2), _box(0.8, 3.5, 9.2, 6.5)), ()),
    "Gallery": ("d8c7f0 3a1a6a", (_box(0.5, 1, 9.5, 9),), (_box(1.6, 2.1, 8.4, 5), (1.6, 7.9, 1.6, 6, 4, 5, 6, 7.9))),
    "Garage": ("f06a1a 141414", ((0.3, 5, 2, 4.6, 3.4, 2.6, 7, 2.6, 8.4, 4.8, 9.7, 5.2, 9.7, 7.4, 0.3, 7.4),
               _round(2.6, 7.6, 1.3), _round(7.4, 7.6, 1.3)), ((3.2, 4.6, 4, 3.4, 6.6, 3.4, 7.3, 4.6),)),
    "Grill": ("7a1010 ffe27a", ((5, 0.3, 7, 3, 6.6, 4.4, 8, 3.6, 8.6, 6.4, 7, 9.4, 3, 9.4, 1.4, 6.6, 2.6, 4, 3.6, 5),),
              ((5, 5.6, 6.2, 7.6, 5, 9, 3.9, 7.6),)),
    "Market": ("c8e6a0 1f4a12", ((0.5, 4.2, 9.5, 4.2, 8.2, 9.3, 1.8, 9.3), (2, 4.2, 4.4, 0.8, 5.4, 1.4, 3.4, 4.2),
               (8, 4.2, 5.6, 0.8, 4.6, 1.4, 6.6, 4.2)),
               ((3, 5.4, 3.6, 5.4, 3.8, 8.2, 3.2, 8.2), _box(4.7, 5.4, 5.3, 8.2),
                (7, 5.4, 6.4, 5.4, 6.2, 8.2, 6.8, 8.2))),
    "Pharmacy": ("0f8a4a ffffff",
                 ((0.8, 4, 9.2, 4, 7.4, 8, 8, 9.4, 2, 9.4, 2.6, 8), (5.4, 3.6, 8.4, 0.2, 9.6, 1, 7, 3.6)), ()),
    "School": ("1f8fa8 ffffff",
               ((5, 1.2, 10, 3.8, 5, 6.4, 0, 3.8), (2.2, 5.8, 5, 7.4, 7.8, 5.8, 7.8, 8, 5, 9.3, 2.2, 8),
               _box(8.9, 4, 9.5, 8)), ()),
    "Theatre": ("e8a8b8 5a0f2a", ((0.8, 1, 9.2, 1, 9.2, 5.5, 7.4, 8.6, 5, 9.6, 2.6, 8.6, 0.8, 5.5),),
                (_box(2.3, 2.8, 4.2, 4), _box(5.8, 2.8, 7.7, 4), (2.6, 5.6, 7.4, 5.6, 6.2, 7.4, 3.8, 7.4))),
}  # fmt: skip
"""For each kind of landmark: colours of the board and of the ink, the pictogram, and what is cut out of it."""

OTHER = ((5, 0.5, 9.5, 5, 5, 9.5, 0.5, 5),)
"""The pictogram of any other landmark."""


def emblem(name: str) -> tuple[Colour, Colour, tuple[Polygon, ...], tuple[Polygon, ...]]:
    """Colours of the board and of the ink, the pictogram and what is cut out of it. A landmark of no known kind has the
    colours of one that is drawn by its name."""
    kind = next((word for word in name.split() if word in BOARDS), None)
    painted, solid, cut = BOARDS[kind or rng(0, "navigation", "sign", name).choice(sorted(BOARDS))]
    paper, ink = hues(painted)
    return (paper, ink, solid, cut) if kind else (paper, ink, OTHER, ())


@lru_cache(512)
def board(name: str, width: int, height: int) -> "Image.Image":
    """The board with a name, in pixels. The name fills it, however long it is. It is cached: do not paint on
    it."""
    from PIL import Image, ImageDraw

    paper, ink, _, _ = emblem(name)
    picture = Image.new("RGB", (width, height), paper)
    frame = max(1, width // 60)
    ImageDraw.Draw(picture).rectangle((0, 0, width - 1, height - 1), None, ink, frame)
    margin = frame + max(1, round(MARGIN * width / 2))
    inner = width - 2 * margin, height - 2 * margin
    # Of all ways to break it, the one with the largest letters; wide ones are read more easily than tall ones.
    lines = max(map(_masks, _broken(name)), key=lambda masks: _stretch(masks, inner))
    across, down = _stretch(lines, inner)
    band = inner[1] / len(lines)
    for number, mask in enumerate(lines):
        size = max(1, int(mask.width * across)), max(1, int(mask.height * down))
        letters = mask.resize(size, Image.Resampling.BOX if down < 0.5 else Image.Resampling.BICUBIC)
        at = (width - size[0]) // 2, margin + round(number * band + (band - size[1]) / 2)
        picture.paste(ink, at, letters)
    return picture


@lru_cache(512)
def crest(name: str, side: int) -> tuple["Image.Image", "Image.Image"]:
    """The disc with the pictogram of a landmark, and its mask. Both are cached: do not paint on them."""
    from PIL import Image, ImageDraw

    paper, ink, solid, cut = emblem(name)
    fine = 8 * side  # small pictures are smoothed, once and for all
    picture, mask = Image.new("RGB", (fine, fine), ink), Image.new("L", (fine, fine))
    ImageDraw.Draw(mask).ellipse((0, 0, fine - 1, fine - 1), 255)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((fine * 0.06, fine * 0.06, fine * 0.94, fine * 0.94), paper)
    for polygons, colour in ((solid, ink), (cut, paper)):
        for polygon in polygons:
            pen.polygon([fine * (0.21 + 0.058 * value) for value in polygon], colour)
    return picture.reduce(8), mask.reduce(8)


def _broken(name: str) -> Iterator[tuple[str, ...]]:
    """A name in all ways of breaking it into lines."""
    words = name.split()
    for count in range(min(LINES, len(words))):
        for breaks in combinations(range(1, len(words)), count):
            ends = (0, *breaks, len(words))
            yield tuple(" ".join(words[a:b]) for a, b in pairwise(ends))


def _masks(lines: tuple[str, ...]) -> list["Image.Image"]:
    """Lines of large letters, all as high as the highest of them."""
    from PIL import Image, ImageDraw

    bold = font("DejaVuSans-Bold", LETTERS)
    boxes = [bold.getbbox(line) for line in lines]
    top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    masks = []
    for line, (left, _, right, _) in zip(lines, boxes, strict=True):
        mask = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
        ImageDraw.Draw(mask).text((-left, -top), line, 255, bold)
        masks.append(mask)
    return masks


def _stretch(lines: list["Image.Image"], inner: tuple[int, int]) -> tuple[float, float]:
    """By how much lines are scaled, across and down, to fill a space in pixels."""
    down = 0.88 * inner[1] / len(lines) / lines[0].height
    across = min(inner[0] / max(mask.width for mask in lines), down)
    return across, min(down, CONDENSED * across)
