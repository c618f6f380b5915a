"""Reading a page: episodes are filtered and opened, with pictures and maps; runs are chosen and compared."""

import re

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.chromium import Server, see_charts, seen

pytestmark = pytest.mark.slow


def test_episodes_are_filtered_and_opened_with_their_pictures_and_map(browser: Browser, server: Server) -> None:
    with seen(browser) as shown:
        page = shown.opened(server.run("compared"))
        page.wait_for_selector("#list details.episode")
        # Models at one checkpoint each have no line, so their values stand in the table, BASE first.
        expect(page.locator("#success h2")).to_have_text("Success")
        expect(page.locator("#success-charts")).to_be_hidden()
        values = page.locator("#success-numbers tbody tr")
        expect(values).to_have_count(3)
        assert re.fullmatch(r"before(\t[\d.]+( \([\d.]+ to [\d.]+\))?){4}", values.first.inner_text())
        everything = page.locator("#count").inner_text()
        page.get_by_label("split").select_option("look_ood")
        page.get_by_label("model").select_option("after")
        expect(page.locator("#count")).not_to_have_text(everything)
        found = page.locator("#list details.episode")
        for one in found.all():
            expect(one.locator("summary")).to_contain_text("look_ood")
            expect(one.locator("summary")).to_contain_text("after")
        found.first.locator("summary").click()
        picture = found.first.locator("img").first
        expect(picture).to_be_visible()
        assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
        # The map lies in a shadow tree, which locators look into.
        expect(found.first.locator(".map svg")).to_be_visible()


def test_runs_are_chosen_from_a_list_and_compared(browser: Browser, server: Server) -> None:
    with seen(browser) as shown:
        page = shown.opened(server.url)
        assert page.locator("#runs tbody tr").count() == 3
        for name in ("small", "attacked"):
            page.get_by_label(f"Compare {name}").check()
        page.locator("#compare").click()
        see_charts(page)
        assert page.locator("#success-charts figure").count() >= 2
        page.get_by_role("link", name="small").first.click()
        expect(page.locator("#run-title")).to_be_visible()


def test_numbers_are_rounded_as_in_the_tables_and_what_is_missing_comes_last(browser: Browser, server: Server) -> None:
    values = [6.25, 6.75, 31.25, 31.75, 12.5, 0.15, 0.25, -6.25, -0.75, 100.0]
    with seen(browser) as shown:
        page = shown.opened(server.run("small"))
        assert page.evaluate("values => values.map(words.tenths)", values) == [f"{value:.1f}" for value in values]
        ordered = "down => [null, 0.5, null, 0.9, 0.3].sort((a, b) => compare(a, b, down))"
        assert page.evaluate(ordered, False) == [0.3, 0.5, 0.9, None, None]
        assert page.evaluate(ordered, True) == [0.9, 0.5, 0.3, None, None]
