"""Published street views: equirectangular panoramas, cut into the same four views as painted ones."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shiftgym.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

PROPORTIONS = (1.9, 2.1)
"""Width by height: all the way round and from top to bottom it is 2, but for a pixel or two."""


@dataclass(frozen=True, slots=True)
class Panorama:
    """What is seen at a location of a published archive, as the file that shows it."""

    path: str
    """The .jpg; its .metadata.json stands beside it and says by how many degrees the picture is rotated."""
    heading: int
    """Degrees, where one faces."""
    size: int
    """Pixels of the grid's side; a view has half of it."""

    def draw(self) -> "Image":
        """The four views of 90 degrees, RGB: front, right / back, left.

        Raises:
            DataError: the picture or what is said about it is missing, damaged, or no panorama.
        """
        import numpy as np
        from PIL import Image

        whole, rotation = self._read()
        side = self.size // 2
        # Of each pixel of a view: the angle to its middle, and above the horizon.
        across = (np.arange(side) + 0.5) * 2 / side - 1
        x, y = np.meshgrid(across, -across)
        sideways, rise = np.arctan(x), np.arctan2(y, np.sqrt(1 + x * x))
        pixels = np.asarray(whole)
        height, width = pixels.shape[:2]
        rows = np.clip((0.5 - rise / math.pi) * height, 0, height - 1).astype(int)
        grid = Image.new("RGB", (self.size, self.size))
        for ahead, corner in ((0, (0, 0)), (90, (side, 0)), (180, (0, side)), (270, (side, side))):
            # The middle of a panorama shows the heading that its rotation names.
            angle = np.degrees(sideways) + self.heading + ahead - rotation
            columns = ((angle / 360 + 0.5) % 1 * width).astype(int)
            grid.paste(Image.fromarray(pixels[rows, columns]), corner)
        return grid

    def _read(self) -> tuple["Image", float]:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(self.path) as opened:
                picture = opened.convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise DataError(f"{self.path}: no picture can be read ({type(error).__name__}); a JPEG is needed") from None
        if not PROPORTIONS[0] <= picture.width / picture.height <= PROPORTIONS[1]:
            raise DataError(
                f"{self.path}: {picture.width} x {picture.height} pixels are no panorama; it is twice as wide as high"
            )
        told = Path(self.path).with_suffix(".metadata.json")
        try:
            rotation = json.loads(told.read_text(encoding="utf-8"))["rotation"]
            return picture, float(rotation)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{told}: no rotation can be read ({type(error).__name__}: {error})") from None
