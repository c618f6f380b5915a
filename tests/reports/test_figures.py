"""One panel as SVG of the page, and whole figures as files."""

import re
from pathlib import Path

from matplotlib.axes import Axes
from PIL import Image

from shiftgym.reports.figures import PaperFigure, inline_svg, save
from shiftgym.reports.panels import INK, SERIES, Panel


def draw(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=SERIES[0], marker="o")
    axes.fill_between([0, 1], [0, 0], [1, 1], color=SERIES[1])
    axes.text(0.5, 0.5, "a < b", color=INK)


PANEL = Panel('success "at home" <5 %>', draw)


def test_an_inline_panel_follows_the_theme() -> None:
    markup = inline_svg(PANEL, "p1")
    assert all(f"var(--{name})" in markup for name in ("ink", "muted", "grid", "series-0", "series-1", "font"))
    assert not [colour for colour in (INK, *SERIES[:2]) if colour in markup]
    assert "DejaVu" not in markup
    assert "a &lt; b" in markup, "letters stay letters"


def test_an_inline_panel_is_bare_and_named() -> None:
    markup = inline_svg(PANEL, "p1")
    assert re.match(r'<svg [^<>]*role="img" aria-label="success  at home   5 % ">', markup)
    assert "<metadata" not in markup
    assert markup == inline_svg(PANEL, "p1")


def test_ids_of_two_panels_differ_and_are_found() -> None:
    ids = {}
    for prefix in ("p1", "p2"):
        markup = inline_svg(PANEL, prefix)
        ids[prefix] = set(re.findall(r'\bid="([^"]+)"', markup))
        used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', markup))
        assert used and used <= ids[prefix]
    assert not ids["p1"] & ids["p2"]


def test_a_name_that_is_wider_than_a_panel_leaves_room_for_the_drawing() -> None:
    for names in ({"left": 900.0}, {"right": 900.0}, {"left": 400.0, "right": 400.0}):
        assert 'role="img"' in inline_svg(Panel("long", draw, **names), "p1")


def test_a_whole_figure_is_written_as_svg_and_png(tmp_path: Path) -> None:
    paths = save(PaperFigure("three", [PANEL] * 3, 2), tmp_path)
    assert [path.name for path in paths] == ["three.svg", "three.png"]
    text = paths[0].read_text(encoding="utf-8")
    assert text.count("a &lt; b") == text.count("success") == 3
    with Image.open(paths[1]) as picture:
        assert picture.size == (2 * 780, 2 * 580), "two rows of two panels at 200 dots an inch"
        # The fourth place is empty, and the ground is white.
        assert picture.convert("RGB").crop((780, 580, 1560, 1160)).getcolors() == [(780 * 580, (255, 255, 255))]
