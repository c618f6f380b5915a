"""The published archives' schema, with what is odd in them."""

import json
import pickle

import pytest

from shiftgym.errors import ConfigError, DataError
from shiftgym.tasks.navigation.directions import compass_word, is_clear_turn
from shiftgym.tasks.navigation.world.virl_files import load_archive, unpickle
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

STEP = 0.001
"""Degrees of latitude: about 111 m."""


def place(name, at, **fields):
    return {"name": name, "geocode": at, "rating": 4.5, "place_id": "x", "place_types": "cafe", **fields}


def route(first=0, corners=((1, 0), (1, 1)), milestone="The destination Cafe Iris is on your left"):
    """From (0, 0) by `corners`, in steps north and east."""
    codes = [[40.7 + STEP * north, -74.0 + STEP * east] for north, east in corners]
    blocks = ['{\n "intersection_idx": 0,\n "landmarks": "No landmark nearby",\n "distance": "111 meters",\n}']
    blocks.append(f'{{\n "landmarks": "{milestone}",\n "to_next_intersection_heading": "90 (east)",\n}}')
    return {
        "start_place": place("Start", [40.7, -74.0], relocated_geocode=[40.7, -74.0]),
        "dest_place": place("Cafe Iris", codes[-1], relocated_geocode=codes[-1]),
        "route_results": {
            "geocode_list": codes,
            "polyline": "",
            "instructions": [],
            "distance_list": [],
            "landmark_list": [
                place("Intersection Bakery", codes[0], spatial_relation="right front", expression="..."),
                *[None] * (len(codes) - 2),
            ],
        },
        "init_heading": first,
        "instruction": "First, ...",
        "milestone_info": "\n".join(blocks),
    }


@pytest.fixture
def archive(tmp_path):
    def make(routes, views=None, pictures=None):
        (tmp_path / "route_infos.json").write_text(json.dumps([routes, 7]), encoding="utf-8")
        if views is None:
            views = {(40.7 + STEP * k / 8, -74.0): f"north-{k}" for k in range(9)}
        (tmp_path / "gps_pano_mapping.pkl").write_bytes(pickle.dumps(views) if isinstance(views, dict) else views)
        (tmp_path / "street_views").mkdir()
        for view in pictures if pictures is not None else views:
            (tmp_path / "street_views" / f"{views[view]}.jpg").touch()
            (tmp_path / "street_views" / f"{views[view]}.metadata.json").write_text('{"rotation": 12.5}')
        return tmp_path

    return make


def task_of(folder, options=None, **setting):
    return build_task(
        "navigation", options=options, splits={"train": {"city": str(folder), "routes": "all", **setting}}
    )


def test_routes_are_walked_like_any_other(archive):
    task = task_of(archive([route(first=120), route()]), straights=5)
    for index in range(10):
        problem = task.problem("train", index)
        walk = list(decisions(task, problem))
        for decision in walk:
            assert decision.judge(task.expert(decision)).correct
        turns = [stop for stop in problem.stops if stop.expected == "turn"]
        assert [stop.next_heading for stop in turns] == [0, 90]
        assert [stop.intersection for stop in turns] == [False, True]
        assert turns[1].landmark.text == "Intersection Bakery is on your right front"
        assert problem.stops[-1].landmark.text == "Cafe Iris is on your left"
        assert index % 2 or problem.stops[0].heading == 120
        assert "<svg" in task.figure(problem, {0: "forward()"})
        assert "Cafe Iris" in task.sketch(walk[-1])
    assert len({task.problem("train", index).stops[0].heading for index in range(1, 20, 2)}) > 5, "drawn where it is 0"


def test_a_stop_without_street_view_is_kept_only_where_one_turns(archive):
    """Street views lie along the first leg only, and one of those that are mapped has no picture."""
    views = {(40.7 + STEP * k / 8, -74.0): f"north-{k}" for k in range(9)}
    folder = archive([route()], views, pictures=[code for code in views if views[code] != "north-4"])
    for index in range(20):
        stops = task_of(folder, straights=3).problem("train", index).stops
        assert stops[-1].panorama is None
        assert all(stop.panorama and stop.y < 112 for stop in stops if stop.expected == "forward")
        assert "north-4" not in {stop.panorama for stop in stops}
        assert [stop.panorama for stop in stops if stop.expected == "turn"] == ["north-0", "north-8"]
    with pytest.raises(DataError, match=r"all route 0 has no street view at \("):
        task_of(folder, {"modality": "vision"}).problem("train", 0)


@pytest.mark.parametrize(
    "corners", [((0.00002, 0), (1, 0), (1, 1)), ((1, 0), (1, 0.00002), (1, 1)), ((1, 0), (1, 1), (1, 1.00002))]
)
def test_a_leg_under_five_metres_is_no_leg(archive, corners):
    task = task_of(archive([route(corners=corners)]))
    problem = task.problem("train", 0)
    assert len(problem.instructions) == 4
    assert [stop.instruction for stop in problem.stops if stop.expected == "turn"] == [1, 3]
    assert problem.stops[-1].instruction == 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda bad: bad.pop("start_place"), "start_place"),
        (lambda bad: bad["route_results"].update(geocode_list=[]), "no leg"),
        (lambda bad: bad["route_results"].update(geocode_list=[[40.7, -74.0]]), "5 m from the start"),
        (lambda bad: bad["route_results"].update(geocode_list=[["x", 1]]), "ValueError"),
        (lambda bad: bad["route_results"].update(geocode_list=[[400, 1]]), "nowhere on earth"),
        (lambda bad: bad["route_results"]["landmark_list"][0].update(spatial_relation="up"), "spatial_relation 'up'"),
        (lambda bad: bad.update(milestone_info="{}"), "where the destination is"),
        (lambda bad: bad.update(init_heading=None), "TypeError"),
        (lambda bad: bad["route_results"].update(geocode_list=[[10**400, 1]]), "OverflowError"),
    ],
)
def test_a_bad_route_is_named_with_its_file(archive, change, reason):
    bad = route()
    change(bad)
    folder = archive([route(), bad])
    with pytest.raises(DataError, match=f"route_infos.json: route 1: .*{reason}"):
        load_archive(str(folder))


class Malicious:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    "views", [b"", b"nonsense", pickle.dumps([1]), pickle.dumps({1: 2}), pickle.dumps(Malicious())]
)
def test_a_bad_map_of_street_views_is_refused(archive, views, capsys):
    (folder := archive([route()])).joinpath("gps_pano_mapping.pkl").write_bytes(views)
    with pytest.raises(DataError, match="gps_pano_mapping.pkl: not a map of street views"):
        load_archive(str(folder))
    assert capsys.readouterr().out == ""


def test_only_plain_data_is_unpickled(tmp_path):
    path = tmp_path / "data.pkl"
    plain = {(1.5, -2): ["a", 3, None, True, {"b": (1,)}]}
    path.write_bytes(pickle.dumps(plain))
    with path.open("rb") as file:
        assert unpickle(file) == plain
    for other in (Malicious(), {1, 2}.__class__, complex(1, 2)):
        path.write_bytes(pickle.dumps({(0.0, 0.0): other}))
        with path.open("rb") as file, pytest.raises(pickle.UnpicklingError, match="nothing but data"):
            unpickle(file)


def test_what_is_no_archive_is_said(archive, tmp_path):
    folder = archive([route()])
    (folder / "route_infos.json").write_text("{}")
    with pytest.raises(DataError, match="not a list of routes"):
        load_archive(str(folder))
    with pytest.raises(ConfigError, match="there is no file"):
        task_of(tmp_path / "elsewhere")


def test_train_and_test_routes_are_apart(archive):
    many = [route(corners=((1, 0), (1, 1 + k / 100))) for k in range(40)]
    found = load_archive(str(archive(many)))
    assert len(found.routes["all"]) == 40
    assert len(found.routes["train"]) + len(found.routes["test"]) == 40
    assert found.routes["test"] and not set(found.routes["train"]) & set(found.routes["test"])


def test_a_heading_is_drawn_from_which_the_first_turn_is_clear(archive):
    task = task_of(archive([route(), route(corners=((1, 0.53), (1, 1)))]), wordings={"relative": 1})
    for index in range(40):
        problem = task.problem("train", index)
        first, second = [stop for stop in problem.stops if stop.expected == "turn"]
        if index % 2:
            assert problem.wordings[0] == "both", "no turn into such a street is clear"
            assert compass_word(first.next_heading) in problem.instructions[0]
        else:
            assert is_clear_turn(first.heading, first.next_heading)
            assert is_clear_turn(second.heading, second.next_heading)
            assert problem.wordings == ("relative", "relative")


def test_an_unclear_turn_is_put_in_both_words(archive):
    task = task_of(archive([route(first=350)]), wordings={"landmark": 0.5, "compass": 0.5})
    assert task.problem("train", 0).wordings[0] == "both"


def test_a_folder_without_street_views_is_named(archive):
    folder = archive([route()], {})
    (folder / "street_views").rmdir()
    with pytest.raises(DataError, match="street_views: there is no such folder"):
        load_archive(str(folder))


@pytest.mark.parametrize("setting", [{"legs": [2, 3]}, {"passing": True}])
def test_settings_that_an_archive_cannot_follow_are_refused(archive, setting):
    folder = archive([route()])
    with pytest.raises(ConfigError, match="routes of an archive are as recorded"):
        task_of(folder, **setting)
    task_of(folder, legs=[3, 6], passing=False)


@pytest.mark.parametrize("said", ['Cafe "Iris"', 'Cafe \\"Iris\\"'])
def test_a_destination_may_have_quotes_in_its_name(archive, said):
    task = task_of(archive([route(milestone=f"The destination {said} is on your left behind")]))
    stop = task.problem("train", 0).stops[-1]
    assert (stop.landmark.name, stop.landmark.where) == ('Cafe "Iris"', "left behind")
    last = list(decisions(task, task.problem("train", 0)))[-1]
    assert last.judge(task.expert(last)).correct
