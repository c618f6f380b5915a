"""Colours: RGB, each band from 0 to 255."""

Colour = tuple[int, int, int]
Colours = tuple[Colour, ...]


def hues(text: str) -> Colours:
    """Colours written as `rrggbb`, with blanks between."""
    return tuple((int(word[:2], 16), int(word[2:4], 16), int(word[4:], 16)) for word in text.split())


def shaded(colour: Colour, light: float) -> Colour:
    """A colour made darker, or lighter by more than 1."""
    red, green, blue = (min(255, round(band * light)) for band in colour)
    return red, green, blue
