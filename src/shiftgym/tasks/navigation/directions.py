"""Headings and the words for them. A heading is in degrees, clockwise from north; a turn is wrapped and signed, right
being positive, so that 350 to 10 is 20 to the right.
"""

import math

COMPASS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
RELATIVE = ("left", "right", "slightly left", "slightly right")
SPATIAL = ("front", "right front", "right", "right behind", "behind", "left behind", "left", "left front")

BORDER = 5.0
"""A clear heading keeps this many degrees away from the border between two compass words."""
SLIGHT = 45.0
"""A turn of more degrees than this is left or right; up to this it is slightly left or slightly right."""
DOUBT = 4.0
"""A clear turn keeps this many degrees away from `SLIGHT`."""
STRAIGHT_ON = 20.0
"""A clear turn has at least this many degrees."""


def turn_angle(current: float, following: float) -> float:
    """The signed turn from one heading to another, at least -180 and below 180; rounded, so that headings in tenths of
    degrees give the very number that geometry does."""
    angle = round((following - current + 180.0) % 360.0 - 180.0, 6)
    return angle if angle < 180.0 else -180.0


def turn_words(current: float, following: float) -> tuple[int, ...]:
    """Indices into `RELATIVE` of the words for a turn: one, or those of both sides where neither is nearer (0 and 180
    degrees)."""
    angle = turn_angle(current, following)
    if angle in (0.0, -180.0):
        return (2, 3) if angle == 0.0 else (0, 1)
    return (int(angle > 0) + 2 * int(abs(angle) <= SLIGHT),)


def sector(heading: float) -> int:
    """The nearest of the eight directions, as its index in `COMPASS`."""
    return int((heading + 22.5) // 45.0) % 8


def compass_word(heading: float) -> str:
    return COMPASS[sector(heading)]


def spatial_word(heading: float, bearing: float) -> str:
    """Where something at `bearing` is for someone who faces `heading`."""
    return SPATIAL[sector(bearing - heading)]


def bearing(x: float, y: float, to_x: float, to_y: float) -> float:
    """The heading from one point (metres east, metres north) to another, rounded to a tenth of a degree."""
    return round(math.degrees(math.atan2(to_x - x, to_y - y)), 1) % 360.0


def is_clear(heading: float) -> bool:
    """Whether the compass word of a heading is beyond doubt."""
    return abs((heading + 22.5) % 45.0 - 22.5) <= 22.5 - BORDER


def is_clear_turn(current: float, following: float) -> bool:
    """Whether a turn can be told from words alone, in any action space.

    The compass words before and after must be one step apart and the turn clearly slight, or two steps apart and the
    turn clearly more than slight. Straight on, U-turns and sharp turns (three steps, as "left" would then mean more
    than one direction) are not clear.
    """
    if not (is_clear(current) and is_clear(following)):
        return False
    angle = abs(turn_angle(current, following))
    steps = (sector(following) - sector(current)) % 8
    if steps in (1, 7):
        return STRAIGHT_ON <= angle <= SLIGHT - DOUBT
    return steps in (2, 6) and angle >= SLIGHT + DOUBT
