"""A style for each city."""

from dataclasses import replace

from PIL import Image, ImageChops

from shiftgym.tasks.navigation.streetview.facades import EXTRAS
from shiftgym.tasks.navigation.streetview.styles import STYLES, style_of
from shiftgym.tasks.navigation.streetview.view import StreetPicture
from shiftgym.tasks.navigation.world.cities import MAKERS

PLAIN = StreetPicture("london", (0, 180), None, 192, 3)


def share_changed(before: Image.Image, after: Image.Image) -> float:
    changed = ImageChops.difference(before, after).convert("L").point(lambda value: 255 * (value > 4))
    return changed.histogram()[255] / (before.width * before.height)


def test_cities_are_told_apart():
    assert set(STYLES) == set(MAKERS)
    for exits in ((0, 180), (0, 90, 180, 270)):
        pictures = [replace(PLAIN, city=name, exits=exits).draw() for name in MAKERS]
        for number, one in enumerate(pictures):
            assert all(share_changed(one, other) > 0.8 for other in pictures[:number])


def test_a_map_has_a_style_of_its_own_wherever_it_lies(tmp_path):
    pictures = [replace(PLAIN, city=name).draw() for name in ("maps/bern.osm", str(tmp_path / "bern.osm"), "porto.osm")]
    assert pictures[0].tobytes() == pictures[1].tobytes()
    assert share_changed(pictures[0], pictures[2]) > 0.3
    assert style_of("bern.osm") not in STYLES.values()


def test_styles_use_only_what_can_be_painted():
    assert all(style.houses.extras <= EXTRAS for style in STYLES.values())
