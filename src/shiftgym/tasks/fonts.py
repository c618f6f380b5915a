"""Fonts for what tasks paint: those that every installation of matplotlib brings."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont


@lru_cache(64)
def font(name: str, height: int) -> "FreeTypeFont":
    """The font of that name, such as `DejaVuSans-Bold`. matplotlib itself, which is slow to import, is not imported."""
    from PIL import ImageFont

    found = find_spec("matplotlib")
    assert found is not None and found.origin is not None
    path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
    return ImageFont.truetype(path, height, layout_engine=ImageFont.Layout.BASIC)
