"""Pages of runs as texts. What their scripts do is tested in a browser."""

import re

import pytest

from shiftgym.following import page
from shiftgym.following.page import ASSETS, RunRow, Success, compare_page, message_page, run_page, runs_page
from shiftgym.reports.comparison import MANY

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&?#%20 ü"


def pages() -> dict[str, str]:
    success = [Success(HOSTILE, HOSTILE, 0.987)]
    row = RunRow(HOSTILE, HOSTILE, "done", "2026-01-02T03:04:05", 3, 4, success, success)
    return {
        "run": run_page(HOSTILE, several=True),
        "runs": runs_page([row], HOSTILE),
        "compare": compare_page([HOSTILE, "b"]),
        "message": message_page(HOSTILE, HOSTILE, "./", token=True),
    }


@pytest.mark.parametrize("name", ["run", "runs", "compare", "message"])
def test_a_page_escapes_what_it_is_told_and_holds_no_script_or_style_of_its_own(name: str) -> None:
    text = pages()[name]
    assert "<img" not in text and "&lt;img" in text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=\"", text)
    loaded = re.findall(r'(?:href|src)="[./]*static/([^"]+)"', text)
    assert loaded and set(loaded) <= set(ASSETS)


def test_a_name_in_an_address_stays_one_part_of_a_path() -> None:
    for name in ("runs", "compare"):
        (address,) = re.findall(r'href="run/([^"]*)/"', pages()[name])[:1]
        assert not set("<>\"'?# ") & set(address)
        assert "%3C/script" in address or "%3C%2Fscript" in address


def test_no_name_is_made_by_two_scripts_of_a_page() -> None:
    for names in (page.RUN_SCRIPTS, page.COMPARE_SCRIPTS, page.RUNS_SCRIPTS):
        made = [name for one in names for name in re.findall(r"^(?:class|const) (\w+)", ASSETS[one][1], re.MULTILINE)]
        assert made and len(made) == len(set(made))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_of_branches_can_be_read_on_either_page() -> None:
    sheet = ASSETS["page.css"][1]
    light, dark = (re.findall(rf"--{name}: (#\w+)", sheet) for name in ("page", "muted"))
    for colours, ground, grey in zip((page.SERIES, page.SERIES_ON_DARK), light[:2], dark[:2], strict=True):
        for colour in (*colours, grey):
            high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (colour, ground)


def test_scripts_and_reports_agree_on_what_is_too_many() -> None:
    text = ASSETS["branches.js"][1]
    assert f"static MANY = {MANY};" in text
    assert f"static COLOURS = {len(page.SERIES)};" in text
    assert len(page.SERIES) == len(page.SERIES_ON_DARK)


def test_a_page_without_neighbours_has_no_way_back_to_them() -> None:
    assert "All runs" in run_page("a", several=True)
    assert "All runs" not in run_page("a", several=False)
