"""Longitude and latitude, and how they become metres."""

import math
from collections.abc import Sequence

Point = tuple[float, float]
"""Longitude and latitude in degrees, or metres east and north of an origin."""

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""


def on_earth(longitude: str, latitude: str) -> Point | None:
    """The point that two texts name in degrees, or None where they name none."""
    try:
        at = float(longitude), float(latitude)
    except ValueError:
        return None
    return at if abs(at[0]) <= 180 and abs(at[1]) <= 90 else None


def project(at: Point, origin: Point) -> Point:
    """Metres east and north of `origin`; both are (longitude, latitude) in degrees. True to 0.1 % within a city."""
    east = math.remainder(at[0] - origin[0], 360.0) * METRES_PER_DEGREE * math.cos(math.radians(origin[1]))
    return east, (at[1] - origin[1]) * METRES_PER_DEGREE


def middle(points: Sequence[Point]) -> Point:
    """The middle of the smallest box around points in degrees, of which there is at least one. Where they lie on both
    sides of the meridian of 180 degrees, the box does too, and its longitude may be above 180."""
    longitudes, latitudes = [x for x, _ in points], [y for _, y in points]
    if max(longitudes) - min(longitudes) > 180:
        longitudes = [x % 360 for x in longitudes]
    return (min(longitudes) + max(longitudes)) / 2, (min(latitudes) + max(latitudes)) / 2
