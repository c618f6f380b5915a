"""OpenStreetMap files of one small city, written in the ways in which the world writes them."""

import pytest

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.maps import read_map

SIDE = 5
STEP = 0.0009
PLACES = {(row, column): str(1 + row * SIDE + column) for row in range(SIDE) for column in range(SIDE)}
"""Ids of the grid's nodes."""
STREET = '<tag k="highway" v="residential"/>'


def node(number, row, column, inside="", more=""):
    return f'<node id="{number}" lat="{48 + row * STEP:.7f}" lon="{11 + column * STEP:.7f}" {more}>{inside}</node>'


def way(refs, tags=STREET, more='id="w{}"'):
    inside = "".join(f'<nd ref="{ref}"/>' for ref in refs)
    return f"<way {more.format('-'.join(map(str, refs)))}>{inside}{tags}</way>"


NODES = [node(number, row, column) for (row, column), number in PLACES.items()]
ROWS = [[PLACES[row, column] for column in range(SIDE)] for row in range(SIDE)]
LINES = [*ROWS, *([row[column] for row in ROWS] for column in range(SIDE))]
WAYS = [way(line) for line in LINES]


@pytest.fixture
def read(tmp_path):
    def read(*elements):
        (tmp_path / "city.osm").write_text(f"<osm version='0.6'>{''.join(elements)}</osm>", encoding="utf-8")
        return read_map(tmp_path / "city.osm")

    return read


def test_a_grid_has_its_corners_and_blocks(read):
    points, segments, sites = read(*NODES, *WAYS)
    assert (len(points), len(segments), sites) == (25, 40, [])


OUTLINE = '<nd ref="1"/><nd ref="25"/>'
SAME = {
    "ways first": [*WAYS, *NODES],
    "nodes among the ways": [*NODES[:9], *WAYS[:3], *NODES[9:20], *WAYS[3:], *NODES[20:]],
    "relations, bounds and remarks": [
        "<note>ODbL</note><meta/><bounds minlat='48' minlon='11' maxlat='49' maxlon='12'/>",
        *WAYS,
        '<relation id="1"><member type="way" ref="w" role=""><nd lat="48" lon="11"/></member>' + STREET + "</relation>",
        *NODES,
        "<remark> runtime remark: Timeout is 25 and maxsize is 1. </remark>",
    ],
    "deleted in JOSM": [
        *NODES,
        *WAYS,
        way([1, 25], more='id="9" action="delete" visible="true"'),
        node("30", 9, 9, more='action="delete"'),
    ],
    "modified in JOSM": [text.replace("<node ", "<node action='modify' visible='true' ") for text in NODES] + WAYS,
    "deleted on the server": [*NODES, '<node id="99" visible="false"/>', *WAYS, way([5, 21], more='visible="false"')],
    "deleted in a later version": [*NODES, way([1, 25], more='id="9"'), *WAYS, '<way id="9" visible="false"/>'],
    "bare copies after the whole": [*NODES, *WAYS, *NODES, *(text.replace(STREET, "") for text in WAYS)],
    "tags, then nodes": [*(way([], more=f'id="{n}"') for n in range(10)), *NODES]
    + [way(line, "", more=f'id="{n}"') for n, line in enumerate(LINES)],
    "not walked": [
        *NODES,
        *WAYS,
        *(
            f'<way id="n{number}">{OUTLINE}{tags}</way>'
            for number, tags in enumerate(
                (
                    '<tag k="highway" v="razed"/>',
                    '<tag k="razed:highway" v="residential"/>',
                    STREET + '<tag k="foot" v="no"/>',
                    STREET + '<tag k="access" v="private"/>',
                    STREET + '<tag k="area" v="yes"/>',
                )
            )
        ),
    ],
    "nodes that no street uses": [
        *NODES,
        '<node id="90" lat="x" lon="11"/><node id="91" lat="99" lon="11"/><node id="92" lat="48"/><node lat="1"/>',
        '<node id="93" lat="-48" lon="-11"/>',
        *WAYS,
        way([90, 91, 92], '<tag k="building" v="yes"/>'),
    ],
    "a way twice over a node, and of one node": [
        *NODES,
        way(LINES[0][:1]),
        *(way([ref for ref in line for _ in "ab"]) for line in LINES),
        way([*LINES[0], *LINES[0][::-1]]),
    ],
    "one-way streets": [*NODES, *(text.replace(STREET, STREET + '<tag k="oneway" v="-1"/>') for text in WAYS)],
    "the geometry of ways, without nodes": [
        '<way id="{}"><bounds/><center lat="1" lon="1"/>{}{}</way>'.format(
            number,
            "".join(
                NODES[int(ref) - 1].split(">")[0].replace("<node id", "<nd ref") + "/>" for ref in line
            ),
            STREET,
        )
        for number, line in enumerate(LINES)
    ],
}  # fmt: skip


@pytest.mark.parametrize("elements", SAME.values(), ids=SAME)
def test_the_same_city_however_it_is_written(read, elements):
    assert read(*elements) == read(*NODES, *WAYS)


def test_ids_of_any_kind_are_names(read):
    names = {number: f"-{number}" for number in PLACES.values()}
    nodes = [node(names[number], row, column) for (row, column), number in PLACES.items()]
    points, segments, _ = read(*nodes, *(way([names[ref] for ref in line]) for line in LINES))
    plain, lines, _ = read(*NODES, *WAYS)
    assert {frozenset((points[u], points[v])) for u, v in segments} == {
        frozenset((plain[u], plain[v])) for u, v in lines
    }


@pytest.mark.parametrize(
    "missing",
    [
        "",
        node("13", 2, 2, more='action="delete"'),
        node("13", 2, 2, more='visible="false"'),
        '<node id="13"/>',
    ],
)
def test_a_street_ends_where_the_file_lacks_a_node_and_goes_on_behind_it(read, missing):
    """Node 13 lies within a row and a column. Its four segments go, and none is drawn over the gap."""
    nodes = [text for text in NODES if not text.startswith('<node id="13" ')]
    points, segments, _ = read(*nodes, missing, *WAYS)
    assert (len(points), len(segments)) == (24, 36)
    whole, lines, _ = read(*NODES, *WAYS)
    near = sorted({round(abs(whole[u][0] - whole[v][0]) + abs(whole[u][1] - whole[v][1])) for u, v in lines})
    assert (
        sorted({round(abs(points[u][0] - points[v][0]) + abs(points[u][1] - points[v][1])) for u, v in segments})
        == near
    )


def test_a_closed_way_comes_back_to_its_start(read):
    corners = [node(number, *at) for number, at in enumerate([(0, 0), (0, 1), (1, 1), (1, 0), (2, 2)])]
    assert read(*corners, way([0, 1, 2, 3, 0]))[1] == [(0, 1), (0, 3), (1, 2), (2, 3)]
    assert read(*corners, way([4, 2, 1, 0, 3, 2]))[1] == [(0, 1), (0, 3), (1, 2), (2, 3), (2, 4)]


def test_a_city_on_both_sides_of_the_meridian_of_180_degrees_is_whole(read):
    moved = [text.replace('lon="11.00', 'lon="179.99').replace("179.9936", "-179.9999") for text in NODES]
    points, segments, _ = read(*moved, *WAYS)
    assert len(segments) == 40
    assert max(abs(points[u][0] - points[v][0]) for u, v in segments) < 1000


NAMED = '<tag k="name" v="{}"/><tag k="{}" v="yes"/>'


def test_places_are_nodes_and_ways_at_their_middle(read):
    cafe = node("80", 1, 1, NAMED.format("Café  Nord", "amenity"))
    corners = [node(f"8{number}", 2 + 0.2 * (number in (2, 3)), 1 + 0.4 * (number > 2)) for number in range(1, 5)]
    hotel = way([81, 82, 83, 84, 81], NAMED.format("Hotel", "tourism"))
    centred = '<way id="7"><center lat="48.0009" lon="11.0009"/>' + NAMED.format("Shop", "shop") + "</way>"
    gone = node("85", 1, 1, NAMED.format("Gone", "shop"), 'action="delete"')
    broken = '<node id="86" lat="x" lon="11">' + NAMED.format("Broken", "shop") + "</node>"
    street = way(LINES[0], STREET + '<tag k="name" v="Main Street"/>')
    points, _, sites = read(hotel, centred, *NODES, *WAYS, cafe, *corners, gone, broken, street)
    assert [name for name, _ in sites] == ["Café Nord", "Hotel", "Shop"]
    (x, y), (to_x, to_y) = min(points), max(points)
    shares = [((at[0] - x) / (to_x - x) * 4, (at[1] - y) / (to_y - y) * 4) for _, at in sites]
    assert shares == [pytest.approx(share, abs=1e-3) for share in ((1, 1), (1.2, 2.1), (1, 1))]


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        (["<remark> runtime error: Query timed out in \"query\" at line 3\n after 25 seconds. </remark>"],
         'Overpass broke off and says "runtime error: Query timed out in "query" at line 3 after 25 seconds."'),
        ([*NODES, *WAYS, "<remark>runtime error: out of memory</remark>"], "runtime error: out of memory"),
        (WAYS, "it has streets, but not their nodes"),
        (NODES, "there is no street in it"),
        ([node("1", 0, 0), node("2", 0, 0), way([1, 2])], "there is no street in it"),
        ([*NODES[1:], '<node id="1" lat="91" lon="0"/>', *WAYS], "node 1 lies nowhere on earth: .*latitude '91'"),
        ([*NODES[1:], '<node id="1" lat="x" lon="0"/>', *WAYS], "node 1 lies nowhere on earth"),
    ],
)  # fmt: skip
def test_what_cannot_be_walked_is_said_in_one_line(read, elements, reason):
    with pytest.raises(DataError, match=reason) as caught:
        read(*elements)
    assert "\n" not in str(caught.value)
