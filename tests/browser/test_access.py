"""Everybody can read and use the pages: by keyboard, by a screen reader, on a phone, dark and light."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.chromium import Server, faults, see_charts, seen

from shiftgym.reports.page import render_report

pytestmark = pytest.mark.slow

PAGES = ("live", "list", "compare", "message", "study file", "comparison file")


@pytest.fixture(scope="module")
def urls(server: Server, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages by what they are."""
    files = tmp_path_factory.mktemp("files")
    for name in ("attacked", "compared"):
        (files / f"{name}.html").write_text(render_report(folder / name), encoding="utf-8")
    return {
        "live": server.run("attacked"),
        "list": server.url,
        "compare": f"{server.url}compare?run=small&run=attacked",
        "message": f"{server.url}run/nothing/",
        "study file": (files / "attacked.html").as_uri(),
        "comparison file": (files / "compared.html").as_uri(),
    }


def filled(page: Page) -> None:
    """Wait for what the page draws and for what it is sent, of which intervals take the server longest."""
    if page.locator("#success-charts").count():
        see_charts(page)
    for last in ("#list details.episode", "#changes tbody tr"):
        if page.locator(last.split()[0]).count():
            page.wait_for_selector(last)


def whole(page: Page) -> None:
    """Fill the page, and open what can be opened: all folded parts, one episode among them."""
    filled(page)
    page.evaluate(
        "document.querySelectorAll('details:not(.episode), .episode:first-child').forEach(one => { one.open = true })"
    )
    page.wait_for_timeout(300)


@pytest.mark.parametrize("name", PAGES)
def test_nobody_is_shut_out(browser: Browser, urls: dict[str, str], name: str) -> None:
    found = {}
    for where, changed in (("a desk, light", False), ("a phone, dark", True)):
        with seen(browser, dark=changed, phone=changed) as shown:
            shown.away = name == "message"  # a refused page is an error to the console
            page = shown.opened(urls[name])
            whole(page)
            found[where] = faults(page)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} is {wide} px wider than {where}"
    assert found == {key: [] for key in found}


FOCUSED = """() => {
    const one = document.activeElement;
    if (one === document.body) return null;
    const style = getComputedStyle(one);
    const box = one.getBoundingClientRect();
    const shown = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
    const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const path = [];
    for (let at = one; at.parentElement; at = at.parentElement) path.push([...at.parentElement.children].indexOf(at));
    const what = one.outerHTML.slice(0, 120);
    return {what, shown, marked: marked || style.boxShadow !== "none", path: path.reverse()};
}"""
# Radio buttons of one group are one stop.
REACHABLE = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && !one.disabled)
    .filter(one => one.type !== "radio" || one.checked).length"""


@pytest.mark.parametrize("name", ["live", "list", "compare"])
def test_everything_is_reached_by_keyboard_in_its_order(browser: Browser, urls: dict[str, str], name: str) -> None:
    with seen(browser) as shown:
        page = shown.opened(urls[name])
        filled(page)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)
        reachable = page.evaluate(REACHABLE)
        stops = []
        for _ in range(reachable + 5):
            page.keyboard.press("Tab")
            at = page.evaluate(FOCUSED)
            if at is None:
                break
            stops.append(at)
        assert [stop["what"] for stop in stops if not (stop["shown"] and stop["marked"])] == []
        assert stops == sorted(stops, key=lambda stop: stop["path"]), "the order is that of the page"
        assert len(stops) == reachable


def test_a_chart_and_an_episode_are_read_by_keyboard(browser: Browser, urls: dict[str, str]) -> None:
    with seen(browser) as shown:
        page = shown.opened(urls["live"])
        whole(page)
        plot = page.locator("#success-charts [role=slider]").first
        plot.focus()
        page.keyboard.press("End")
        last = plot.get_attribute("aria-valuetext")
        page.keyboard.press("ArrowLeft")
        assert last and plot.get_attribute("aria-valuetext") not in (None, last)
        summary = page.locator("#list details.episode summary").nth(1)
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#list details.episode").nth(1)).to_have_attribute("open", "")
