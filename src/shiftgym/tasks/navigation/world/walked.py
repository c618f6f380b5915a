"""Which ways of OpenStreetMap are walked, told by their tags: https://wiki.openstreetmap.org/wiki/Key:highway and
https://wiki.openstreetmap.org/wiki/Key:access."""

import re
from collections.abc import Mapping

WALKED = frozenset(
    (
        "trunk", "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link", "unclassified",
        "residential", "living_street", "pedestrian", "service", "track", "road", "footway", "path", "steps",
        "crossing", "cycleway", "bridleway",
    )
)  # fmt: skip
"""Values of `highway`. Any other is no street (`platform`), is not for walkers (`motorway`), or is not there
(`construction`, `razed`)."""
NOT_THERE = frozenset(("abandoned", "construction", "demolished", "disused", "proposed", "razed", "removed"))
"""Keys that say, with the value `yes`, that all of a way is only planned or is gone."""
FORBIDDEN = frozenset(("no", "private"))

_VALUE = re.compile(r"[^][(){}'\";,\s]+")


def is_walked(tags: Mapping[str, str]) -> bool:
    """Whether one may walk along a way with these tags.

    A tag may hold several values, as an edge that stands for several ways does: `residential;service`, or
    `['residential', 'service']`. Then each of them must allow walking.
    """
    highway, foot, access = (_values(tags, key) for key in ("highway", "foot", "access"))
    return (
        bool(highway)
        and highway <= WALKED
        and "yes" not in _values(tags, "area")
        and not any("yes" in _values(tags, key) for key in NOT_THERE & tags.keys())
        and not (foot or access) & FORBIDDEN
    )


def _values(tags: Mapping[str, str], key: str) -> set[str]:
    return set(_VALUE.findall(tags[key])) if key in tags else set()
