"""Navigation in pictures: the same routes, with views of what is seen instead of words."""

import json

import numpy as np
import pytest
from PIL import Image

from shiftgym.errors import DataError
from shiftgym.tasks.check import check_task
from shiftgym.tasks.navigation.streetview.camera import Camera
from shiftgym.tasks.navigation.streetview.panorama import Panorama
from shiftgym.tasks.navigation.streetview.styles import style_of
from shiftgym.tasks.navigation.world.cities import MAKERS
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

SPLITS = {"train": {}, "look_ood": {"city": "all_but_new_york", "routes": "test"}}


@pytest.fixture(scope="module")
def seen():
    return build_task("navigation", options={"modality": "vision"}, splits=SPLITS)


@pytest.fixture(scope="module")
def named():
    return build_task("navigation", splits=SPLITS)


def test_routes_are_the_same_and_only_the_present_observation_is_shown(seen, named):
    for index in range(10):
        assert seen.problem("train", index) == named.problem("train", index)
        shown = list(decisions(seen, seen.problem("train", index)))
        said = list(decisions(named, named.problem("train", index)))
        for number, (here, there) in enumerate(zip(shown, said, strict=True)):
            (message,), (text,) = here.prompt, there.prompt
            assert len(message["pictures"]) == 1
            assert "pictures" not in text
            lines = [line for line in message["content"].splitlines() if not line.startswith("The picture has")]
            assert lines[:-1] == text["content"].splitlines()[:-1]
            assert lines[-1].endswith("and what is in the picture.")
            assert message["content"].count("Intersection.") == sum(
                stop.intersection for stop in here.problem.stops[:number]
            )


def test_the_views_show_the_streets_and_the_sign_that_are_there(seen):
    for index in range(10):
        for decision in decisions(seen, seen.problem("train", index)):
            stop, picture = decision.stop, decision.picture
            assert picture.sign == ((stop.landmark.name, stop.landmark.where) if stop.landmark else None)
            if stop.expected == "turn":
                ahead = round(stop.next_heading - stop.heading) % 360
                assert any(min(abs(ahead - way), 360 - abs(ahead - way)) <= 1 for way in picture.exits)
                assert len(picture.exits) >= 3
            else:
                assert picture.exits == (0, 180)


def test_the_same_place_has_the_same_accidents(seen):
    walk = list(decisions(seen, seen.problem("train", 0)))
    again = list(decisions(seen, seen.problem("train", 0)))
    assert [decision.picture for decision in walk] == [decision.picture for decision in again]
    assert len({decision.picture.seed for decision in walk}) == len(walk)


def test_a_shift_of_look_draws_any_other_city(seen):
    cities = {seen.problem("look_ood", index).city for index in range(60)}
    assert cities == set(MAKERS) - {"new_york"}


def test_recognition_is_of_intersection_and_landmark(seen, named):
    walk = list(decisions(seen, seen.problem("train", 0)))
    decision = next(decision for decision in walk if decision.stop.intersection and decision.stop.landmark)
    answer = json.loads(seen.expert(decision))
    assert seen.diagnose(decision, json.dumps(answer)).recognised is True
    assert seen.diagnose(decision, json.dumps({**answer, "action": "stop()"})).recognised is True
    for observation in ("intersection", f"no {answer['observation']}", "intersection, Hotel Nowhere left", None):
        assert seen.diagnose(decision, json.dumps({**answer, "observation": observation})).recognised is False
    said = named.start(named.problem("train", 0))
    assert named.diagnose(said, named.expert(said)).recognised is None


def test_the_task_in_pictures_keeps_the_contract():
    found = check_task("navigation", options={"modality": "vision", "size": 96}, splits={"train": {}})
    assert [finding for finding in found if not finding.ok] == []


COLOURS = {"front": (255, 0, 0), "right": (0, 255, 0), "back": (0, 0, 255), "left": (255, 255, 0)}


def test_a_wall_seen_edge_on_is_not_painted():
    canvas = Image.new("RGB", (96, 96))
    camera = Camera(canvas, 0, style_of("new_york").air)
    brick = [Image.new("RGB", (8, 8), "red")]
    camera.wall(brick, (1.0, 10.0), (2.0, 20.0), height=10.0, shade=1.0)
    assert canvas.getbbox() is None
    camera.wall(brick, (1.0, 10.0), (2.5, 20.0), height=10.0, shade=1.0)
    assert canvas.getbbox() is not None


def panorama(path, rotation, headings=("back", "left", "front", "right", "back")):
    """A panorama whose quarters around each heading are of one colour; its middle shows the front at that rotation."""
    pixels = np.zeros((180, 360, 3), np.uint8)
    for column in range(360):
        pixels[:, column] = COLOURS[headings[(column + 45) // 90]]
    Image.fromarray(pixels).save(path, quality=95)
    path.with_suffix(".metadata.json").write_text(json.dumps({"rotation": rotation}))
    return str(path)


@pytest.mark.parametrize("rotation", [0.0, 123.0])
def test_a_panorama_is_cut_into_front_right_back_and_left(tmp_path, rotation):
    path = panorama(tmp_path / "a.jpg", rotation)
    grid = Panorama(path, int(rotation), 96).draw()
    assert (grid.mode, grid.size) == ("RGB", (96, 96))
    for name, at in {"front": (24, 24), "right": (72, 24), "back": (24, 72), "left": (72, 72)}.items():
        assert np.abs(np.array(grid.getpixel(at), int) - COLOURS[name]).max() < 40, name
    turned = Panorama(path, int(rotation) + 90, 96).draw()
    assert np.abs(np.array(turned.getpixel((24, 24)), int) - COLOURS["right"]).max() < 40


def test_a_bad_picture_is_named_in_one_line(tmp_path):
    good = panorama(tmp_path / "good.jpg", 0.0)
    missing = str(tmp_path / "missing.jpg")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:200])
    Image.new("RGB", (100, 100)).save(tmp_path / "square.jpg")
    (tmp_path / "alone.jpg").write_bytes((tmp_path / "good.jpg").read_bytes())
    for path, said in (
        (missing, "missing.jpg: no picture can be read"),
        (str(tmp_path / "torn.jpg"), "torn.jpg: no picture can be read"),
        (str(tmp_path / "square.jpg"), "square.jpg: 100 x 100 pixels are no panorama"),
        (str(tmp_path / "alone.jpg"), "alone.metadata.json: no rotation can be read"),
    ):
        with pytest.raises(DataError, match=said):
            Panorama(path, 0, 96).draw()
    grey = Image.open(good).convert("L")
    grey.save(good)
    assert Panorama(good, 0, 96).draw().mode == "RGB"
