"""Street views: four true directions, and signs that stand whole."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import product

import pytest
from PIL import Image, ImageChops

from shiftgym.tasks.navigation.directions import SPATIAL
from shiftgym.tasks.navigation.streetview.styles import STYLES
from shiftgym.tasks.navigation.streetview.view import BOARD, EDGE, StreetPicture, is_crossing, lay_streets
from shiftgym.tasks.navigation.world.cities import MAKERS

PLAIN = StreetPicture("london", (0, 180), None, 192, 3)
BOXES = {"front": (0, 0), "right": (1, 0), "behind": (0, 1), "left": (1, 1)}
"""Column and row of each view in the grid."""


def view(picture: Image.Image, name: str) -> Image.Image:
    (column, row), half = BOXES[name], picture.width // 2
    return picture.crop((column * half, row * half, (column + 1) * half, (row + 1) * half))


def share_changed(before: Image.Image, after: Image.Image) -> float:
    changed = ImageChops.difference(before, after).convert("L").point(lambda value: 255 * (value > 4))
    return changed.histogram()[255] / (before.width * before.height)


@pytest.mark.parametrize("size", [128, 193, 448])
def test_the_same_fields_give_the_same_bytes(size):
    signed = replace(PLAIN, sign=("Cafe Iris", "left"), size=size)
    picture = signed.draw()
    assert (picture.mode, picture.size) == ("RGB", (size, size))
    again = StreetPicture(**asdict(signed)).draw()
    assert again.tobytes() == picture.tobytes()
    assert replace(signed, seed=4).draw().tobytes() != picture.tobytes()


def test_another_process_paints_the_same():
    code = (
        "import hashlib; from shiftgym.tasks.navigation.streetview.view import StreetPicture as S;"
        "print(hashlib.sha256(S('lagos', (0, 90, 180), ('Opal Bank', 'right'), 128, 1).draw().tobytes()).hexdigest())"
    )
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1


@pytest.mark.parametrize(("bearing", "name", "others"), [(90, "right", (0, 180, 270)), (270, "left", (0, 90, 180))])
@pytest.mark.parametrize("style", MAKERS)
def test_a_street_is_seen_where_it_leaves(bearing, name, others, style):
    closed, opened = (replace(PLAIN, city=style, exits=exits).draw() for exits in (others, (*others, bearing)))
    opposite = {"right": "left", "left": "right"}[name]
    assert share_changed(view(closed, name), view(opened, name)) > 0.5
    assert share_changed(view(closed, opposite), view(opened, opposite)) == 0.0
    for beside in ("front", "behind"):
        assert share_changed(view(closed, beside), view(opened, beside)) < 0.2


@pytest.mark.parametrize("exits", [(0,), (37,), (0, 13), (90, 180), (1, 359), tuple(range(0, 360, 45))])
def test_any_exits_can_be_painted(exits):
    assert replace(PLAIN, exits=exits).draw().size == (192, 192)


@pytest.mark.parametrize(
    ("exits", "crossing"),
    [((0, 180), False), ((180, 0), False), ((10, 185), False), ((90, 180), True), ((0, 180, 90), True), ((180,), True)],
)
def test_only_a_street_that_goes_on_is_no_crossing(exits, crossing):
    assert is_crossing(lay_streets(exits, STYLES["milan"].ground)) == crossing


@pytest.mark.parametrize("exits", [(0, 180), (0, 90, 180, 270), (180, 225, 315)])
@pytest.mark.parametrize("size", [128, 192, 449])
def test_a_sign_stands_whole_in_its_view(exits, size):
    plain = {city: replace(PLAIN, city=city, exits=exits, size=size) for city in ("hong_kong", "lagos")}
    drawn = {city: picture.draw() for city, picture in plain.items()}
    for city, (number, where) in product(plain, enumerate(SPATIAL)):
        signed = replace(plain[city], sign=("Magnolia Pharmacy", where)).draw()
        changed = ImageChops.difference(drawn[city], signed).getbbox()
        half = size // 2
        column, row = BOXES[SPATIAL[number // 2 * 2]]
        left, top, right, bottom = (
            edge - corner
            for edge, corner in zip(changed, 2 * (column * (size - half), row * (size - half)), strict=True)
        )
        assert left > 1 and top > 1 and right < half - 1 and bottom < half - 1
        assert right - left == pytest.approx(BOARD[0] * half, abs=2)
        middle = (left + right) / 2 / half
        assert middle == pytest.approx(EDGE if number % 2 else 0.5, abs=0.03)


def test_nothing_heavy_is_loaded_before_drawing():
    code = (
        "import shiftgym.tasks.navigation.streetview.view, json, sys;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"PIL", "numpy", "matplotlib", "torch", "networkx"} & set(json.loads(done.stdout))
