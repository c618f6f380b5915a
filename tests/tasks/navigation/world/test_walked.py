"""What the tags of a way say about walking along it."""

import pytest

from shiftgym.tasks.navigation.world.walked import is_walked


@pytest.mark.parametrize(
    "tags",
    [
        {"highway": "residential"},
        {"highway": "steps"},
        {"highway": "track", "motor_vehicle": "private"},
        {"highway": "residential", "oneway": "yes"},
        {"highway": "residential", "access": "private", "foot": "yes"},
        {"highway": "service", "access": "no", "foot": "designated"},
        {"highway": "path", "access": "permissive"},
        {"highway": "residential", "area": "no", "disused": "no"},
        {"highway": "cycleway", "abandoned:railway": "rail", "railway": "abandoned"},
        {"highway": "path", "abandoned:highway": "tertiary"},
        {"highway": "residential", "construction": "minor"},
        {"highway": "residential;service"},
        {"highway": "['residential', 'service']", "access": "['yes', 'permissive']"},
        {"highway": '["footway", "path"]'},
    ],
)
def test_streets_and_paths_are_walked(tags):
    assert is_walked(tags)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"building": "yes"},
        *({"highway": value} for value in ("", "no", "razed", "abandoned", "demolished", "disused", "dismantled")),
        *({"highway": value} for value in ("construction", "proposed", "planned", "platform", "raceway", "corridor")),
        *({"highway": value} for value in ("motorway", "motorway_link", "trunk_link", "bus_guideway", "rest_area")),
        *({f"{state}:highway": "residential"} for state in ("razed", "abandoned", "demolished", "disused", "proposed")),
        *({"highway": "residential", state: "yes"} for state in ("razed", "abandoned", "disused", "construction")),
        {"highway": "residential", "foot": "no"},
        {"highway": "residential", "foot": "private"},
        {"highway": "residential", "access": "private"},
        {"highway": "residential", "access": "no"},
        {"highway": "residential", "access": "no", "foot": "no"},
        {"highway": "pedestrian", "area": "yes"},
        {"highway": "residential;construction"},
        {"highway": "['residential', 'motorway']"},
        {"highway": "residential", "access": "['yes', 'private']"},
        {"highway": "residential", "foot": "['no', 'yes']", "access": "yes"},
    ],
)
def test_what_is_gone_or_forbidden_is_not(tags):
    assert not is_walked(tags)
