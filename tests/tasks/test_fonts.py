"""Fonts for what tasks paint."""

import pytest

from shiftgym.tasks.fonts import font


def test_a_font_has_the_height_that_is_asked_for_and_is_loaded_once():
    small, large = font("DejaVuSans-Bold", 10), font("DejaVuSans-Bold", 40)
    heights = [each.getbbox("K")[3] - each.getbbox("K")[1] for each in (small, large)]
    assert heights[1] == pytest.approx(4 * heights[0], abs=4)
    assert font("DejaVuSans-Bold", 10) is small


def test_fonts_differ():
    assert font("DejaVuSans", 30).getlength("GAME") != font("DejaVuSansMono-Bold", 30).getlength("GAME")
    with pytest.raises(OSError, match="cannot open resource"):
        font("NoSuchFont", 10)
