"""A run of 100 branches with 50 checkpoints each is shown whole, answers keys, and costs the server little memory.

How soon and how smoothly it does so is measured by `benchmarks/live_page.py`.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.chromium import Server, points, see_charts, seen, until
from tests.browser.runs import large

pytestmark = pytest.mark.slow

MEGABYTES = 150


def test_a_large_run_is_shown_whole(browser: Browser, tmp_path: Path) -> None:
    with Server(large(tmp_path, "large")) as server, seen(browser) as shown:
        page = shown.opened(server.url)
        page.wait_for_selector("#progress-table tbody tr:nth-child(100)", state="attached")
        see_charts(page)
        until(lambda: points(page, "id", "ppo") == points(page, "rule_ood", "more-0") == 51)
        plot = page.locator("#success-charts [role=slider]").first
        read = []
        for key in ("End", "ArrowLeft", "Home"):
            plot.press(key)
            read.append(plot.get_attribute("aria-valuetext"))
        assert None not in read and len(set(read)) == 3
        assert server.megabytes < MEGABYTES
