"""Flat pictures of house fronts."""

import pytest

from shiftgym.tasks.navigation.streetview.camera import TEXELS
from shiftgym.tasks.navigation.streetview.facades import EXTRAS, LEVELS, VARIANTS, facades_of
from shiftgym.tasks.navigation.streetview.styles import STYLES


@pytest.mark.parametrize("city", ["london", "melbourne"])
def test_fronts_have_the_size_of_their_house_at_every_resolution(city):
    houses = STYLES[city].houses
    fronts = facades_of(houses)
    assert len(fronts) == VARIANTS == len({front.levels[0].tobytes() for front in fronts})
    for front in fronts:
        assert 0.85 * houses.width <= front.width <= 1.15 * houses.width
        least, most = ((storeys + 1.2) * houses.storey + 0.5 for storeys in houses.storeys)
        assert least - 0.01 <= front.height <= most + 0.01
        assert len(front.levels) == LEVELS
        for level, picture in enumerate(front.levels):
            assert picture.width == pytest.approx(front.width * TEXELS / 2**level, abs=1.5)
            assert picture.height == pytest.approx(front.height * TEXELS / 2**level, abs=1.5)


def test_awnings_are_as_frequent_as_the_style_has_them():
    assert all(front.awning for front in facades_of(STYLES["melbourne"].houses))
    assert not any(front.awning for front in facades_of(STYLES["london"].houses))


def test_every_extra_is_used_by_some_style():
    assert frozenset.union(*(style.houses.extras for style in STYLES.values())) == EXTRAS
