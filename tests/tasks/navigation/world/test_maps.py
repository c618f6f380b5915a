"""Real networks from local files: the same town, as OpenStreetMap and as osmnx write it."""

import math
from pathlib import Path

import pytest

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.cities import load_city
from shiftgym.tasks.navigation.world.maps import read_map
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

OSM = Path(__file__).with_name("town.osm")
GRAPHML = Path(__file__).with_name("town.graphml")
TOWN = GRAPHML.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [OSM, GRAPHML])
def test_a_map_becomes_a_city_to_walk_in(path):
    city = load_city(str(path))
    assert len(city.graph) == 25, "points in the middle of a street are left out"
    assert city.graph.number_of_edges() == 2 * 40
    for _, _, street in city.graph.edges(data=True):
        assert street["length"] == pytest.approx(100 * math.hypot(1, 0.14), abs=1)
        assert min(abs(street["heading"] - right - 8) for right in (0, 90, 180, 270)) < 1
    task = build_task("navigation", splits={"train": {"city": str(path), "legs": [2, 4], "routes": "all"}})
    for index in range(20):
        for decision in decisions(task, task.problem("train", index)):
            assert decision.judge(task.expert(decision)).correct
    assert "<svg" in task.figure(decision.problem, {})


def test_landmarks_are_the_named_places_beside_a_street():
    names = {mark.name for mark in load_city(str(OSM)).landmarks}
    assert len(names) == 20
    assert "Intersection Bakery" in names
    assert not {"Nobody", "Far Away"} & names
    assert len(load_city(str(GRAPHML)).landmarks) > 10, "without places they are made up"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.osm", "<osm>", "not a map"),
        ("a.osm", "<osm/>", "no street"),
        ("a.graphml", "<osm/>", "outermost element"),
        ("a.osm", '<!DOCTYPE osm [<!ENTITY a "aaaa">]><osm>&a;</osm>', "document type"),
        ("a.graphml", '<!DOCTYPE g [<!ENTITY a SYSTEM "file:///etc/passwd">]><g>&a;</g>', "document type"),
        ("a.graphml", TOWN.replace("9.000000", "371400.5"), "unproject the graph first"),
        ("a.xml", "<osm/>", "maps are files that end in .osm or .graphml"),
        ("a.json", "{}", "it is JSON"),
    ],
)
def test_a_file_that_is_no_map_is_named(tmp_path, name, text, reason):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=reason) as caught:
        read_map(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such map"):
        read_map(tmp_path / "none.osm")


def test_the_spelling_of_a_path_does_not_move_a_route_between_train_and_test():
    setting = {"legs": [2, 4], "routes": "test"}
    spelled = [str(OSM), str(OSM.parent / ".." / OSM.parent.name / OSM.name)]
    tasks = [build_task("navigation", splits={"train": {"city": path, **setting}}) for path in spelled]
    for index in range(20):
        first, second = (task.problem("train", index) for task in tasks)
        assert first.stops == second.stops and first.city != second.city
