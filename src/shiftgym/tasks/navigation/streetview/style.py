"""What the style of a city consists of in street views. Lengths are in metres."""

from dataclasses import dataclass
from typing import Literal

from shiftgym.tasks.navigation.streetview.colours import Colour, Colours


@dataclass(frozen=True, slots=True)
class Houses:
    walls: Colours
    trim: Colour
    """Of frames, sills and cornices."""
    glass: Colour
    accents: Colours
    """Of shutters, doors, awnings and shop fronts."""
    storeys: tuple[int, int]
    """Fewest and most above the ground floor."""
    storey: float
    """Height of one."""
    width: float
    """Of a house, on average."""
    bay: float
    """From window to window."""
    window: tuple[float, float]
    """Its share of a bay's width and of a storey's height."""
    extras: frozenset[str]
    """What a facade has besides; see `facades.EXTRAS`."""
    ground: Literal["shops", "arcade", "doors", "garages", "stalls"]
    """What is in the ground floor."""
    roof: Literal["flat", "pitched", "gable", "mansard"]
    roofing: Colours
    crown: Literal["", "tank", "chimneys", "dish"]
    """What stands on top."""
    awning: tuple[float, float]
    """Share of the houses that have one, and how far it reaches out."""
    blades: float
    """Share of the houses with an upright sign at right angles to the wall."""


@dataclass(frozen=True, slots=True)
class Ground:
    road: Colour
    pavement: Colour
    kerb: Colour
    paint: Colour
    """Of lines and zebra crossings."""
    half: float
    """Half the width of the carriageway."""
    side: float
    """Width of each pavement."""
    lines: Literal["none", "dashes", "double"]
    rails: bool
    """Whether trams run."""
    wires: int
    """Overhead, along each side of a street."""


@dataclass(frozen=True, slots=True)
class Air:
    zenith: Colour
    horizon: Colour
    cloud: Colour
    clouds: int
    """Most in a view."""
    clear: float
    """Distance at which things have lost two thirds of their colour."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    kind: Literal["car", "van", "bus", "tall bus", "tram", "rickshaw"]
    body: Colour
    roof: Colour
    stripe: Colour | None = None


@dataclass(frozen=True, slots=True)
class Furniture:
    tree: Literal["round", "tall", "palm", "spreading"]
    leaves: Colours
    spacing: float
    """Metres from tree to tree."""
    lamp: Literal["arm", "globe", "lantern", "pole"]
    metal: Colour
    """Of lamps and traffic lights."""
    plate: Colour
    """Of the poles with street names."""
    things: tuple[tuple[Literal["hydrant", "box", "bin", "booth", "parasol"], Colour], ...]
    """What stands about on pavements."""


@dataclass(frozen=True, slots=True)
class Style:
    houses: Houses
    ground: Ground
    air: Air
    traffic: tuple[Vehicle, ...]
    furniture: Furniture
