"""GraphML as osmnx, networkx and others write it."""

import math

import networkx as nx
import pytest

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.maps import read_map

STEP = 0.0009
NODES = {"1": (11.0, 48.0), "2": (11.0 + 5 * STEP, 48.0), "3": (11.0 - STEP, 48.0 + STEP)}
BELOW = [(11.0, 48.0), (11.0, 48 - 2 * STEP), (11.0 + 5 * STEP, 48 - 2 * STEP), (11.0 + 5 * STEP, 48.0)]
"""From node 1 to node 2 by two corners in the south."""


def line(points, kind="LINESTRING"):
    return f"{kind} ({', '.join(f'{x} {y}' for x, y in points)})"


def graph(*edges, kind=nx.MultiDiGraph, names=("x", "y")):
    """Nodes 1, 2 and 3, the street from 1 to 3, and edges (u, v, attributes)."""
    made = kind(crs="epsg:4326")
    for node, at in NODES.items():
        made.add_node(node, **{name: str(value) for name, value in zip(names, at, strict=True)})
    for u, v, attributes in [("1", "3", {}), *edges]:
        made.add_edge(u, v, **{"highway": "residential", **attributes})
    return made


@pytest.fixture
def read(tmp_path):
    def read(made, change=lambda text: text):
        nx.write_graphml(made, tmp_path / "city.graphml")
        text = (tmp_path / "city.graphml").read_text(encoding="utf-8")
        (tmp_path / "city.graphml").write_text(change(text), encoding="utf-8")
        points, segments, _ = read_map(tmp_path / "city.graphml")
        return {frozenset((points[u], points[v])) for u, v in segments}

    return read


def lengths(segments):
    return sorted(round(math.dist(*pair)) for pair in segments)


BLOCK = STEP * 111_195
SLANT = round(math.hypot(BLOCK, BLOCK * math.cos(math.radians(48))))
WIDTH = round(5 * BLOCK * math.cos(math.radians(48)))
DOWN = round(2 * BLOCK)
"""Metres: of the street from 1 to 3, of the straight line from 1 to 2, and from either to its corner in the south."""


@pytest.mark.parametrize(
    "geometry",
    [
        line(BELOW),
        line(BELOW[::-1]),
        line(BELOW, "linestring"),
        line(BELOW, "SRID=4326;LINESTRING"),
        f"LINESTRING Z ({', '.join(f'{x} {y} 500' for x, y in BELOW)})",
        f"MULTILINESTRING (({line(BELOW[:3])[12:-1]}), ({line(BELOW[2:])[12:-1]}))",
        line([(x + 1e-8, y) for x, y in BELOW]),
    ],
)
def test_a_street_follows_its_geometry_whichever_way_it_runs(read, geometry):
    found = read(graph(("1", "2", {"geometry": geometry})))
    assert lengths(found) == sorted([SLANT, DOWN, WIDTH, DOWN])
    heights = [y for pair in found for _, y in pair]
    assert max(heights) - min(heights) == pytest.approx(3 * BLOCK, abs=0.1)


def test_a_geometry_that_ends_beside_its_node_is_joined_to_it(read):
    aside = [(11.0 - 2e-4, 48.0), *BELOW[1:]]
    found = read(graph(("1", "2", {"geometry": line(aside)})))
    assert lengths(found) == sorted([round(2e-4 / STEP * WIDTH / 5), SLANT, DOWN + 1, WIDTH, DOWN])


def test_both_directions_are_one_street_and_its_points_come_once(read):
    both = read(graph(("1", "2", {"geometry": line(BELOW)}), ("2", "1", {"geometry": line(BELOW[::-1])})))
    assert both == read(graph(("2", "1", {"geometry": line(BELOW)})))
    assert lengths(both) == sorted([SLANT, DOWN, WIDTH, DOWN])


def test_parallel_streets_and_loops_stay_where_a_geometry_tells_them_apart(read):
    above = [BELOW[0], *((x, 48 + 2 * STEP) for x, _ in BELOW[1:3]), BELOW[3]]
    loop = [NODES["3"], (11.0 - 2 * STEP, 48 + STEP), (11.0 - 2 * STEP, 48 + 2 * STEP), NODES["3"]]
    found = read(
        graph(
            ("1", "2", {}), ("1", "2", {"geometry": line(BELOW)}), ("1", "2", {"geometry": line(above)}),
            ("3", "3", {"geometry": line(loop)}), ("3", "3", {"geometry": line(loop[::-1])}),
            ("2", "2", {}),
        )
    )  # fmt: skip
    assert len(found) == 1 + 1 + 3 + 3 + 3


def test_a_gap_in_a_geometry_is_not_bridged(read):
    gap = f"MULTILINESTRING (({line(BELOW[:2])[12:-1]}), ({line(BELOW[2:])[12:-1]}))"
    assert lengths(read(graph(("1", "2", {"geometry": gap})))) == [SLANT, DOWN, DOWN]


@pytest.mark.parametrize("geometry", ["", "nan", "None", "LINESTRING EMPTY", line([BELOW[0], BELOW[3]])])
def test_without_a_geometry_a_street_is_straight(read, geometry):
    assert lengths(read(graph(("1", "2", {"geometry": geometry})))) == [SLANT, WIDTH]


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (line([(x + 0.1, y) for x, y in BELOW]), "edge from 1 to 2: its geometry ends 7,4.. m from its nodes"),
        (line([(y, x) for x, y in BELOW]), "edge from 1 to 2: its geometry ends .* m from its nodes"),
        (line([(x * 60000, y * 1e5) for x, y in BELOW]), "edge from 1 to 2: .* not in degrees; unproject"),
        ("LINESTRING (11 48, 11)", "not in degrees"),
        ("POINT (11 48)", "is no LINESTRING"),
        ("0102000000", "is no LINESTRING"),
    ],
)
def test_a_geometry_that_cannot_be_followed_is_named(read, geometry, reason):
    with pytest.raises(DataError, match=reason):
        read(graph(("1", "2", {"geometry": geometry})))
    assert lengths(read(graph(("1", "2", {"geometry": geometry, "highway": "razed"})))) == [SLANT]


@pytest.mark.parametrize(
    ("attributes", "walked"),
    [
        ({"highway": "['residential', 'service']"}, True),
        ({"highway": "['residential', 'motorway']"}, False),
        ({"highway": "platform"}, False),
        ({"highway": ""}, True),
        ({"highway": "", "razed:highway": "path"}, False),
        ({"foot": "no"}, False),
        ({"access": "private"}, False),
        ({"access": "private", "foot": "yes"}, True),
        ({"access": "nan"}, True),
        ({"area": "yes"}, False),
        ({"oneway": "True"}, True),
    ],
)
def test_edges_are_walked_by_the_same_rule_as_ways(read, attributes, walked):
    assert lengths(read(graph(("1", "2", attributes)))) == ([SLANT, WIDTH] if walked else [SLANT])


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
@pytest.mark.parametrize("names", [("x", "y"), ("lon", "lat")])
def test_any_kind_of_graph_and_both_names_of_coordinates_are_read(read, kind, names):
    assert lengths(read(graph(("1", "2", {}), kind=kind, names=names))) == [SLANT, WIDTH]


def test_longitude_and_latitude_count_before_the_coordinates_of_a_projection(read):
    made = graph(("1", "2", {}))
    for number, (_, at) in enumerate(made.nodes(data=True)):
        at.update(lon=at["x"], lat=at["y"], x=str(691000 + number), y="5319000")
    assert lengths(read(made)) == [SLANT, WIDTH]


def test_a_node_that_no_street_uses_never_matters(read):
    plain = read(graph(("1", "2", {})))
    made = graph(("1", "2", {}), ("2", "8", {"highway": "razed"}))
    made.add_node("8", x="far", y="away")
    made.add_node("9")
    assert read(made) == plain


def test_defaults_and_keys_without_a_name_are_read(tmp_path):
    (tmp_path / "city.graphml").write_text(
        """<graphml><key id="x" for="node"/><key id="d1" for="node" attr.name="y"><default>48.0</default></key>
        <key id="d2" for="edge" attr.name="highway"><default>motorway</default></key>
        <graph edgedefault="undirected"><data key="x">7</data>
        <node id="a"><data key="x">11.0</data></node><node id="b"><data key="x">11.001</data></node>
        <node id="c"><data key="x">11.002</data><data key="d1">48.001</data></node>
        <edge source="a" target="b"><data key="d2">path</data></edge><edge source="b" target="c"/>
        <edge source="b" target="gone"><data key="d2">path</data></edge></graph></graphml>""",
        encoding="utf-8",
    )
    assert read_map(tmp_path / "city.graphml")[1] == [(0, 1)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace(">11.0<", ">691000.5<"), "node 1 has x 691000.5 and y 48.0, .* unproject the graph"),
        (lambda text: text.replace(">11.0<", "><"), "node 1 has neither lon and lat nor x and y"),
        (lambda _: "<graphml/>", "there is no street in it"),
        (lambda _: "<osm/>", "its outermost element is <osm>"),
    ],
)
def test_what_cannot_be_placed_is_named(read, change, reason):
    with pytest.raises(DataError, match=reason):
        read(graph(("1", "2", {})), change)
