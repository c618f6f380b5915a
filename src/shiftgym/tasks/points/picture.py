"""Pictures of hands of cards (the paper's GP-VL): a table, the cards in one row across its middle.

The layout is the paper's for any number of cards: each has an equal share of the row and fills nine tenths of it. A
nuisance of more than 0 lays the cards less neatly and changes font, light and noise; every deviation is drawn from the
seed once and grows in proportion to the nuisance, so a little more of it is the same picture a little more disturbed.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from shiftgym.seeds import derive, rng
from shiftgym.tasks.points.deck import Card, Look, design_of
from shiftgym.tasks.points.faces import DESIGNS, HEIGHT, VARIANTS, face

if TYPE_CHECKING:
    from PIL.Image import Image

FILLED = 0.9
"""Share of its slot that a card's width fills (the paper's canvas of 1200 pixels has cards of 270)."""
ROOM = 0.93
"""Share of its slot that a rotated card may fill."""

# The largest deviations, at a nuisance of 1.
ROTATION = math.radians(9)
SHRINK = 0.15
LIFT = 0.12
"""Up or down, in sides of the picture."""
BRIGHTNESS = 0.25
GRADIENT = 0.3
"""From one side of the picture to the other, as a share of the light."""
CAST = 0.1
"""Of each colour channel."""
NOISE = 20
"""Brighter or darker, of 255, each pixel on its own."""


@dataclass(frozen=True, slots=True)
class HandPicture:
    """The picture of a hand, as the values that it is drawn from."""

    cards: tuple[tuple[str, str], ...]
    """Three to six of rank as printed and suit (S, C, H, D), from left to right."""
    design: str
    """See `faces.py`."""
    nuisance: float
    """From 0 (none, whatever the seed) to 1."""
    size: int
    """Pixels of a side; 96 or more."""
    seed: int
    """Of the nuisance."""

    @classmethod
    def of(cls, cards: Iterable[Card], look: Look, nuisance: float, size: int, seed: int) -> "HandPicture":
        """Cards as a look shows them."""
        shown = tuple([(card.rank, card.suit) for card in cards])
        return cls(shown, design_of(look), nuisance, size, seed)

    def draw(self) -> "Image":
        """The picture, RGB; equal fields give equal bytes."""
        from PIL import Image

        picture = Image.new("RGB", (self.size, self.size), DESIGNS[self.design].table)
        stream = rng(self.seed, "hand")
        other, chance = stream.randrange(VARIANTS), stream.random()
        variant = other if chance < self.nuisance else 0
        slot = self.size / len(self.cards)
        for index, (rank, suit) in enumerate(self.cards):
            card = face(rank, suit, self.design, int(slot * FILLED), variant)
            x, y = round((index + 0.5) * slot - card.width / 2), (self.size - card.height) // 2
            if self.nuisance:
                card, x, y = self._disturbed(card, x, y, slot, stream)
            picture.paste(card, (x, y), card)
        return self.lit(picture) if self.nuisance else picture

    def _disturbed(self, card: "Image", x: int, y: int, slot: float, stream: Random) -> tuple["Image", int, int]:
        """The card rotated, shrunk and moved within its slot, and its new corner; (x, y) was its corner before."""
        from PIL import Image

        rotation, shrink, right, down = (self.nuisance * stream.uniform(-1, 1) for _ in range(4))
        cos, sin = math.cos(rotation * ROTATION), math.sin(rotation * ROTATION)
        wide = FILLED * slot * (cos + HEIGHT * abs(sin))
        scale = min(1 - abs(shrink) * SHRINK, ROOM * slot / wide)
        centre_x = x + card.width / 2 + right * (ROOM * slot - scale * wide) / 2
        centre_y = y + card.height / 2 + down * LIFT * self.size
        half_x = scale * (card.width * cos + card.height * abs(sin)) / 2
        half_y = scale * (card.height * cos + card.width * abs(sin)) / 2
        x, y = math.floor(centre_x - half_x), math.floor(centre_y - half_y)
        size = math.ceil(centre_x + half_x) - x, math.ceil(centre_y + half_y) - y
        # From a pixel of the result back to the card, as Pillow wants it.
        a, b, dx, dy = cos / scale, sin / scale, x - centre_x, y - centre_y
        back = (a, b, a * dx + b * dy + card.width / 2, -b, a, a * dy - b * dx + card.height / 2)
        return card.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR), x, y

    def lit(self, picture: "Image") -> "Image":
        """A picture of the same size in the light and with the noise that the seed has for it."""
        import numpy as np
        from PIL import Image

        stream = rng(self.seed, "light")
        gain = 1 + self.nuisance * BRIGHTNESS * stream.uniform(-1, 1)
        angle, slope = stream.uniform(0, math.tau), self.nuisance * GRADIENT
        cast = [1 + self.nuisance * CAST * stream.uniform(-1, 1) for _ in range(3)]
        across = np.linspace(-0.5, 0.5, self.size, dtype=np.float32)
        light = gain + slope * (math.cos(angle) * across[None, :] + math.sin(angle) * across[:, None])
        noise = np.random.Generator(np.random.SFC64(derive(self.seed, "noise")))
        grain = noise.integers(256, size=light.shape, dtype=np.uint8) - np.float32(127.5)
        grain *= np.float32(self.nuisance * NOISE / 127.5)
        channels = []
        for channel, strength in zip(picture.split(), cast, strict=True):
            lit = np.asarray(channel) * (light * np.float32(strength)) + grain
            channels.append(Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8)))
        return Image.merge("RGB", channels)
