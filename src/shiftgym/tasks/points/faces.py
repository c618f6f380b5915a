"""Card faces: four designs, painted with Pillow from our own shapes and the fonts that come with matplotlib.

classic       ivory ground, serif ranks, black and red ink
modern        white ink on a ground of the suit's colour, a small suit above a large sans rank
handwritten   ruled paper, ranks and suits in the pen strokes of an unsteady hand
faint         the classic card, worn: light ink on a grey ground

All lengths are in card widths: a card is 1 wide and `HEIGHT` high. Whatever is marked on a card has one ink, so marks
are painted as one mask.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from shiftgym.tasks.fonts import font
from shiftgym.tasks.points.deck import FACES
from shiftgym.tasks.points.shapes import Point, Polyline, outline, strokes, tremor

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]

HEIGHT = 7 / 5
"""As the paper's cards."""
DETAILED = 60
"""Pixels of a card's width from which it has indices and pips; a smaller card has one rank over one suit."""
VARIANTS = 3
"""Fonts (or hands) of a design."""
FINE = 4
"""Faces are painted this many times too large and averaged down."""

_RADIUS = 0.07
_SHADOW_DOWN, _SHADOW_SOFT, _SHADOW_ALPHA = 0.015, 0.012, 90
_RULES = (198, 208, 216)
"""Colour of the lines on ruled paper."""
_SLANTS = (0.06, 0.22, -0.12)
"""Of the hands that write."""


@dataclass(frozen=True, slots=True)
class Design:
    """How the cards of a deck and its table are drawn. Pairs are for black and for red suits."""

    table: Colour
    grounds: tuple[Colour, Colour]
    inks: tuple[Colour, Colour]
    fonts: tuple[str, ...] = ()
    """`VARIANTS` fonts, the usual one first; a deck without is written by hand."""


DESIGNS = {
    "classic": Design(
        table=(53, 101, 77),  # the paper's
        grounds=((250, 249, 244), (250, 249, 244)),
        inks=((22, 22, 26), (200, 20, 34)),
        fonts=("DejaVuSerif-Bold", "DejaVuSans-Bold", "STIXGeneralBol"),
    ),
    "modern": Design(
        table=(60, 74, 96),
        grounds=((34, 36, 42), (206, 38, 46)),
        inks=((250, 248, 240), (250, 248, 240)),
        fonts=("DejaVuSans-Bold", "DejaVuSansMono-Bold", "DejaVuSans"),
    ),
    "handwritten": Design(
        table=(138, 106, 76),
        grounds=((243, 236, 214), (243, 236, 214)),
        inks=((36, 40, 56), (196, 40, 44)),
    ),
    "faint": Design(
        table=(112, 136, 121),
        grounds=((221, 219, 211), (221, 219, 211)),
        inks=((142, 145, 148), (205, 138, 132)),
        fonts=("DejaVuSans", "DejaVuSerif", "STIXGeneralBol"),
    ),
}


@lru_cache(maxsize=2 * 52 * VARIANTS)
def face(rank: str, suit: str, design: str, width: int, variant: int) -> "Image":
    """A card `width` pixels wide with its shadow, RGBA, in the middle of `margin(width)` pixels of nothing."""
    style = DESIGNS[design]
    sheet = _Printed(width, style.fonts[variant]) if style.fonts else _Written(width, (rank, suit, variant))
    if design == "modern":
        sheet.suit(suit, (0.27, 0.29), 0.36)
        sheet.rank(rank, (0.5, 0.92), 0.72)
    elif width < DETAILED:
        sheet.rank(rank, (0.5, 0.41), 0.58)
        sheet.suit(suit, (0.5, 1.05), 0.52)
    else:
        _detail(sheet, rank, suit)
    red = suit in "HD"
    return sheet.card(style.grounds[red], style.inks[red])


def margin(width: int) -> int:
    """Pixels around a card `width` pixels wide: room for its shadow."""
    return math.ceil(width * 0.05)


_TOP, _MIDDLE = 0.22, HEIGHT / 2
_SIDES = (0.345, 0.655)
_INNER = _TOP + (HEIGHT - 2 * _TOP) / 3


def _at(xs: Sequence[float], *ys: float) -> list[Point]:
    return [(x, y) for x in xs for y in ys]


_PIPS = {
    "2": (_at([0.5], _TOP), []),
    "3": (_at([0.5], _TOP), _at([0.5], _MIDDLE)),
    "4": (_at(_SIDES, _TOP), []),
    "5": (_at(_SIDES, _TOP), _at([0.5], _MIDDLE)),
    "6": (_at(_SIDES, _TOP), _at(_SIDES, _MIDDLE)),
    "7": (_at(_SIDES, _TOP), _at(_SIDES, _MIDDLE) + _at([0.5], (_TOP + _MIDDLE) / 2)),
    "8": (_at(_SIDES, _TOP) + _at([0.5], (_TOP + _MIDDLE) / 2), _at(_SIDES, _MIDDLE)),
    "9": (_at(_SIDES, _TOP, _INNER), _at([0.5], _MIDDLE)),
    "10": (_at(_SIDES, _TOP, _INNER) + _at([0.5], (_TOP + _INNER) / 2), []),
}
"""Where pips are: those that the lower half repeats upside down, and those that stand once."""


def _detail(sheet: "_Sheet", rank: str, suit: str) -> None:
    """Indices in two corners; pips, one large suit for an ace, or a framed rank for a face card."""
    sheet.rank(rank, (0.13, 0.165), 0.17, limit=0.19)
    sheet.suit(suit, (0.13, 0.345), 0.13)
    twice, once = _PIPS.get(rank, ([], []))
    for spot in twice:
        sheet.suit(suit, spot, 0.175)
    if rank in FACES:
        sheet.suit(suit, (0.36, 0.29), 0.16)
    sheet.repeat_rotated()
    for spot in once:
        sheet.suit(suit, spot, 0.175)
    if rank in FACES:
        sheet.line(((0.24, 0.14), (0.76, 0.14), (0.76, HEIGHT - 0.14), (0.24, HEIGHT - 0.14), (0.24, 0.14)), 0.01)
        sheet.rank(rank, (0.5, _MIDDLE), 0.4, limit=0.4)
    if rank == "A":
        sheet.suit(suit, (0.5, _MIDDLE), 0.52)


class _Sheet:
    """A card in the making."""

    def __init__(self, width: int) -> None:
        from PIL import Image, ImageDraw

        self.width = width
        self.unit = width * FINE
        self.marks = Image.new("L", (self.unit, round(width * HEIGHT) * FINE))
        self.brush = ImageDraw.Draw(self.marks)

    def rank(self, rank: str, centre: Point, height: float, limit: float = 0.84) -> None:
        """The rank, its ink `height` high and at most `limit` wide."""
        raise NotImplementedError

    def suit(self, suit: str, centre: Point, size: float) -> None:
        """The suit, `size` high."""
        self.brush.polygon(self.pixels(_placed(outline(suit), centre, size)), fill=255)

    def line(self, line: Polyline, thickness: float) -> None:
        """A line with round joints and ends."""
        points = self.pixels(line)
        radius = thickness * self.unit / 2
        self.brush.line(points, fill=255, width=round(2 * radius))
        for x, y in points:
            self.brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    def pixels(self, line: Polyline) -> list[Point]:
        return [(x * self.unit, y * self.unit) for x, y in line]

    def repeat_rotated(self) -> None:
        """Repeat what is there upside down."""
        from PIL import Image, ImageChops

        self.marks.paste(ImageChops.lighter(self.marks, self.marks.transpose(Image.Transpose.ROTATE_180)))

    def paper(self, colour: Colour) -> "Image":
        from PIL import Image

        return Image.new("RGB", self.marks.size, colour)

    def card(self, ground: Colour, ink: Colour) -> "Image":
        """The card cut out and on its shadow."""
        from PIL import Image, ImageDraw, ImageFilter

        paper = self.paper(ground)
        paper.paste(ink, mask=self.marks)
        edge, (wide, high) = margin(self.width) * FINE, self.marks.size
        shape = Image.new("L", (wide + 2 * edge, high + 2 * edge))
        ImageDraw.Draw(shape).rounded_rectangle(
            (edge, edge, edge + wide - 1, edge + high - 1), _RADIUS * self.unit, fill=255
        )
        shadow = Image.new("L", shape.size)
        shadow.paste(shape.point(lambda alpha: alpha * _SHADOW_ALPHA // 255), (0, round(_SHADOW_DOWN * self.unit)))
        card = Image.new("RGBA", shape.size)
        card.putalpha(shadow.filter(ImageFilter.GaussianBlur(_SHADOW_SOFT * self.unit)))
        whole = Image.new("RGB", shape.size)
        whole.paste(paper, (edge, edge))
        card.paste(whole, mask=shape)
        return card.reduce(FINE)


class _Printed(_Sheet):
    """Ranks are set in a font."""

    def __init__(self, width: int, font: str) -> None:
        super().__init__(width)
        self.font = font

    def rank(self, rank: str, centre: Point, height: float, limit: float = 0.84) -> None:
        from PIL import Image, ImageDraw

        high = round(height * self.unit)
        letters = font(self.font, high)
        left, top, right, bottom = (round(side) for side in letters.getbbox(rank))
        glyph = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(glyph).text((-left, -top), rank, fill=255, font=letters)
        wide = round(min(glyph.width * high / glyph.height, limit * self.unit))
        corner = (round(centre[0] * self.unit - wide / 2), round(centre[1] * self.unit - high / 2))
        self.marks.paste(glyph.resize((wide, high)), corner)


class _Written(_Sheet):
    """Ranks and suits are written with a pen by a hand that trembles, each card in its own way."""

    def __init__(self, width: int, names: tuple[str, str, int]) -> None:
        super().__init__(width)
        self.warp = tremor(0.02, *names)
        self.slant = _SLANTS[names[-1]]

    def rank(self, rank: str, centre: Point, height: float, limit: float = 0.84) -> None:
        pen = 0.02 + 0.07 * height
        for stroke in strokes(rank):
            slanted = tuple((x - self.slant * y, y) for x, y in stroke)
            self.line(_placed(slanted, centre, height - pen), pen)

    def suit(self, suit: str, centre: Point, size: float) -> None:
        """Its outline, hatched."""
        from PIL import Image, ImageChops, ImageDraw

        pen = 0.012 + 0.04 * size
        shape = _placed(outline(suit), centre, size - pen)
        self.line((*shape, shape[0]), pen)
        inside, hatch = Image.new("L", self.marks.size), Image.new("L", self.marks.size)
        ImageDraw.Draw(inside).polygon(self.pixels(shape), fill=255)
        for shift in range(-6, 7):
            ends = _placed(((shift / 6 - 0.5, 0.5), (shift / 6 + 0.5, -0.5)), centre, size)
            ImageDraw.Draw(hatch).line(self.pixels(ends), fill=255, width=round(0.06 * size * self.unit))
        self.marks.paste(255, mask=ImageChops.darker(inside, hatch))

    def paper(self, colour: Colour) -> "Image":
        """Ruled."""
        from PIL import ImageDraw

        paper = super().paper(colour)
        for row in range(1, 9):
            y = row * HEIGHT / 9 * self.unit
            ImageDraw.Draw(paper).line((0, y, self.unit, y), fill=_RULES, width=round(0.012 * self.unit))
        return paper

    def pixels(self, line: Polyline) -> list[Point]:
        return super().pixels(tuple(self.warp(point) for point in line))


def _placed(line: Polyline, centre: Point, size: float) -> Polyline:
    return tuple((centre[0] + x * size, centre[1] + y * size) for x, y in line)
