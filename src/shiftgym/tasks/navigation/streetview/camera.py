"""One view of a street world: from its coordinates to pixels, and painting there with Pillow.

The world has its origin on the ground where one stands: x metres to the right of the way one faces, y ahead, z up.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from shiftgym.tasks.navigation.streetview.colours import Colour
from shiftgym.tasks.navigation.streetview.style import Air

if TYPE_CHECKING:
    from PIL import Image

EYE = 2.4
"""Metres above the ground."""
NEAR = 0.8
"""Nothing nearer than so many metres ahead is painted."""
DETAIL = 1.8
"""Pixels a metre below which things have no details."""
STEPS = 12
"""Of haze that are told apart."""
TEXELS = 12.0
"""Pixels of a flat picture a metre, at its full resolution."""

Spot = tuple[float, float]
"""x and y."""
Corner = tuple[float, float, float]
QUARTERS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Cosine and sine of 0, 90, 180 and 270 degrees."""


class Camera:
    """A view of 90 degrees to one side.

    Args:
        canvas: a square to paint on.
        quarter: which way it faces: 0 front, 1 right, 2 back, 3 left.
        air: what haze far things fade into.
    """

    def __init__(self, canvas: "Image.Image", quarter: int, air: Air) -> None:
        from PIL import ImageDraw

        self.canvas = canvas
        self.pen = ImageDraw.Draw(canvas)
        self.quarter = quarter
        self.air = air
        self.cosine, self.sine = QUARTERS[quarter]
        self.side = canvas.width
        self.focal = self.side / 2
        """Pixels; also the middle of the view."""

    def rotated(self, x: float, y: float) -> Spot:
        """Metres to the right and metres ahead, as this view has it."""
        return x * self.cosine - y * self.sine, x * self.sine + y * self.cosine

    def sees(self, x: float, y: float, reach: float) -> bool:
        """Whether any of a thing of that radius may be in the view."""
        right, ahead = self.rotated(x, y)
        return ahead - abs(right) > -1.5 * reach

    def fine(self, distance: float) -> bool:
        """Whether details of things that far away can be made out."""
        return self.focal > DETAIL * distance

    def tone(self, colour: Colour, distance: float, shade: float = 1.0) -> Colour:
        """A colour under a light from 0 to 1, so many metres away."""
        return _toned(colour, round(shade, 1), haze(self.air, distance), self.air.horizon)

    def project(self, x: float, y: float, z: float) -> tuple[float, float, float] | None:
        """Column, row and pixels a metre of a point; none behind."""
        right, ahead = self.rotated(x, y)
        if ahead < NEAR:
            return None
        scale = self.focal / ahead
        return self.focal + right * scale, self.focal - (z - EYE) * scale, scale

    def polygon(self, corners: Sequence[Corner], colour: Colour) -> None:
        cosine, sine, focal = self.cosine, self.sine, self.focal
        rotated = [(x * cosine - y * sine, x * sine + y * cosine, z - EYE) for x, y, z in corners]
        nearest = min([ahead for _, ahead, _ in rotated])
        if nearest < NEAR:
            if max([ahead for _, ahead, _ in rotated]) < NEAR:
                return
            rotated = _clipped(rotated)
        self.pen.polygon(
            [(focal + right * focal / ahead, focal - up * focal / ahead) for right, ahead, up in rotated], colour
        )

    def box(
        self, middle: Spot, along: Spot, lengths: Spot, widths: Spot, heights: Spot, colours: tuple[Colour, Colour]
    ) -> None:
        """An upright box, its colours those of the sides and of the top.

        Args:
            middle: a spot on the ground; `along` the unit vector from there in which `lengths` lie.
            widths: to the right of that.
        """
        (x, y), (u, v) = middle, along
        here = -(x * u + y * v), -(x * v - y * u)
        (back, front), (left, right), (low, high) = lengths, widths, heights
        corners = {
            (length, width): (x + u * length + v * width, y + v * length - u * width)
            for length in lengths
            for width in widths
        }
        distance = math.hypot(x, y)
        ends = [(end, widths) for end, seen in ((front, here[0] > front), (back, here[0] < back)) if seen]
        flanks = [(flank, lengths) for flank, seen in ((right, here[1] > right), (left, here[1] < left)) if seen]
        for end, (a, b) in ends:
            self.upright(corners[end, a], corners[end, b], low, high, self.tone(colours[0], distance, 0.8))
        for flank, (a, b) in flanks:
            self.upright(corners[a, flank], corners[b, flank], low, high, self.tone(colours[0], distance))
        if high < EYE:
            ring = (corners[back, left], corners[back, right], corners[front, right], corners[front, left])
            self.polygon([(*corner, high) for corner in ring], self.tone(colours[1], distance))

    def upright(self, start: Spot, end: Spot, low: float, high: float, colour: Colour) -> None:
        """A rectangle that stands on the line between two spots."""
        self.polygon([(*start, low), (*end, low), (*end, high), (*start, high)], colour)

    def line(self, start: Corner, end: Corner, width: float, colour: Colour) -> None:
        """A line of so many metres, at least a pixel."""
        (x, y, z), (to_x, to_y, to_z) = start, end
        rotated = _clipped([(*self.rotated(x, y), z - EYE), (*self.rotated(to_x, to_y), to_z - EYE)])
        if rotated:
            focal = self.focal
            ends = [(focal + right * focal / ahead, focal - up * focal / ahead) for right, ahead, up in rotated[:2]]
            nearest = min(ahead for _, ahead, _ in rotated)
            self.pen.line(ends, colour, max(1, round(width * focal / nearest)))

    def disc(self, at: Corner, width: float, height: float, colour: Colour) -> None:
        """An ellipse that faces the viewer, by its half axes in metres."""
        middle = self.project(*at)
        if middle:
            column, row, scale = middle
            w, h = width * scale, height * scale
            self.pen.ellipse((column - w, row - h, column + w, row + h), colour)

    def wall(self, levels: Sequence["Image.Image"], left: Spot, right: Spot, height: float, shade: float) -> None:
        """A flat picture in perspective, upright from the ground.

        Args:
            levels: the picture at full, half, quarter ... resolution.
            left, right: its ends, as seen from here. None of it is nearer than `NEAR`.
        """
        from PIL import Image, ImageDraw

        (x, y), (to_x, to_y) = self.rotated(*left), self.rotated(*right)
        dx, dy = to_x - x, to_y - y
        low, high = 0.0, 1.0
        for start, slope in ((y - x, dy - dx), (y + x, dy + dx)):  # the view's right and left edge
            if slope > 0:
                low = max(low, -start / slope)
            elif slope < 0:
                high = min(high, -start / slope)
            elif start < 0:
                return
        if low >= high:
            return
        focal, ends = self.focal, [(x + share * dx, y + share * dy) for share in (low, high)]
        (first, last), scales = [focal + a * focal / b for a, b in ends], [focal / b for _, b in ends]
        tops = [focal - (height - EYE) * scale for scale in scales]
        feet = [focal + EYE * scale for scale in scales]
        box = (int(first), max(0, int(min(tops))), math.ceil(last), min(self.side, math.ceil(max(feet))))
        size = box[2] - box[0], box[3] - box[1]
        if size[0] < 1 or size[1] < 1 or last <= first:  # out of sight, or seen edge on
            return
        fineness = (last - first) / ((high - low) * math.hypot(dx, dy)) * max(scales)
        level = round(math.log(TEXELS**2 / fineness, 4) - 0.25) if fineness < TEXELS**2 else 0
        picture = levels[min(level, len(levels) - 1)]
        # Along the wall and above the ground as quotients of linear functions of column and row.
        column, row, twice = focal - box[0], focal - box[1], dy * x - dx * y
        unit = -(column * dy + focal * dx)
        wide, tall = picture.width / unit, picture.height / height / unit
        terms = (
            -y * wide, 0.0, (x * focal + column * y) * wide,
            (height - EYE) * dy * tall, twice * tall, ((height - EYE) * unit - row * twice) * tall,
            dy / unit, 0.0,
        )  # fmt: skip
        distance = math.hypot((x + to_x) / 2, (y + to_y) / 2)
        patch = picture.transform(
            size, Image.Transform.PERSPECTIVE, terms, Image.Resampling.BILINEAR, fillcolor=picture.getpixel((0, 0))
        )
        # Shade and haze together are one blend with one colour.
        kept = min(1.0, round(shade, 1)) * (1 - haze(self.air, distance) / STEPS)
        if kept < 1.0:
            veil = self.tone((0, 0, 0), distance)
            patch = Image.blend(Image.new("RGB", size, tuple(round(band / (1 - kept)) for band in veil)), patch, kept)
        mask = Image.new("L", size)
        outline = [(first, tops[0]), (last, tops[1]), (last, feet[1]), (first, feet[0])]
        ImageDraw.Draw(mask).polygon([(a - box[0], b - box[1]) for a, b in outline], 255)
        self.canvas.paste(patch, box[:2], mask)


def haze(air: Air, distance: float) -> int:
    """How much of a colour is lost so many metres away, in steps."""
    return round(STEPS * (1 - math.exp(-max(0.0, distance - 12.0) / air.clear)))


@lru_cache(4096)
def _toned(colour: Colour, shade: float, lost: int, horizon: Colour) -> Colour:
    share = lost / STEPS
    red, green, blue = (round(a * shade * (1 - share) + b * share) for a, b in zip(colour, horizon, strict=True))
    return red, green, blue


def _clipped(corners: list[Corner]) -> list[Corner]:
    """What of a polygon or a line, rotated to the view, lies ahead."""
    kept = []
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        if a[1] >= NEAR:
            kept.append(a)
        if (a[1] < NEAR) != (b[1] < NEAR):
            share = (NEAR - a[1]) / (b[1] - a[1])
            kept.append((a[0] + share * (b[0] - a[0]), NEAR, a[2] + share * (b[2] - a[2])))
    return kept
