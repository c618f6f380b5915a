"""What models answered, titles and names run no script and change no page, live and in the file."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.chromium import Server, seen

from shiftgym import build_report

pytestmark = pytest.mark.slow


def holds(page: Page) -> None:
    """Open everything that can be opened, and look for what an attack would have made."""
    page.wait_for_selector("#list details.episode")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    expect(page.locator("#list").get_by_text("</script><script>alert(1)").first).to_be_visible()
    expect(page.locator("#progress-table").get_by_text("</script><script>alert(1)").first).to_be_visible()
    assert page.locator("main iframe, main img[src=x], main svg[onload], main script:not(.board)").count() == 0


@pytest.mark.usefixtures("drawn_once")
def test_answers_and_names_are_only_text(browser: Browser, server: Server, folder: Path) -> None:
    with seen(browser) as live:
        holds(live.opened(server.run("attacked")))
        live.page.wait_for_timeout(500)
    with seen(browser) as list_of_runs:
        list_of_runs.opened(server.url)
    report = build_report(folder / "attacked")
    with seen(browser) as file:
        holds(file.opened(report.as_uri()))
        file.page.wait_for_timeout(500)
