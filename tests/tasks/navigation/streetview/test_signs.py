"""Landmark signs: whole, legible, told apart."""

import pytest
from PIL import Image, ImageChops

from shiftgym.tasks.navigation.streetview import signs
from shiftgym.tasks.navigation.world import city


@pytest.mark.parametrize("size", [(37, 19), (130, 67)], ids=["small", "large"])
def test_no_name_overflows_its_board(size):
    """Every kind with a third of the names, and every name with a third of the kinds."""
    pairs = [(kind, name) for shift, kind in enumerate(city.KINDS) for name in city.NAMES[shift % 3 :: 3]]
    names = [kind.format(name) for kind, name in pairs]
    for name in (*names, "The Honourable Society of Lincoln's Inn and Old Fields", "Ö", "Wwwwwwwwwwwwwwwwwwwwwwwwwwww"):
        picture = signs.board(name, *size)
        paper, ink, _, _ = signs.emblem(name)
        edge = max(1, size[0] // 60)
        inside = picture.crop((edge, edge, size[0] - edge, size[1] - edge))
        empty = Image.new("RGB", inside.size, paper)
        left, top, right, bottom = ImageChops.difference(inside, empty).getbbox()
        assert left >= 1 and top >= 1 and right <= inside.width - 1 and bottom <= inside.height - 1
        assert right - left > 0.25 * size[0]
        assert picture.getpixel((0, 0)) == ink


def test_kinds_have_boards_of_their_own():
    kinds = [kind.replace("{}", "").strip() for kind in city.KINDS]
    looks = [signs.emblem(kind.format("Vega")) for kind in city.KINDS]
    assert set(kinds) == set(signs.BOARDS)
    assert len({paper for paper, *_ in looks}) == len({solid for _, _, solid, _ in looks}) == len(kinds)
    for paper, ink, _, _ in looks:
        light, dark = (sum(weight * band for weight, band in zip((2, 7, 1), hue, strict=True)) for hue in (paper, ink))
        assert abs(light - dark) > 900
