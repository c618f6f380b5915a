"""Published panoramas are cut into the same four views."""

import json

import numpy as np
import pytest
from PIL import Image

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.streetview.panorama import Panorama

COLOURS = {"front": (255, 0, 0), "right": (0, 255, 0), "back": (0, 0, 255), "left": (255, 255, 0)}


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
    rotated = Panorama(path, int(rotation) + 90, 96).draw()
    assert np.abs(np.array(rotated.getpixel((24, 24)), int) - COLOURS["right"]).max() < 40


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
