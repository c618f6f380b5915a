"""The page of a run while the run goes on: numbers arrive, the server comes and goes, and the file shows the same."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.chromium import Server, boards, points, see_charts, seen, until
from tests.browser.runs import Writer

pytestmark = pytest.mark.slow

TOY = (
    "task.limit=2", "evaluation.problems=2", "evaluation.samples=1", "evaluation.decodings=['sampled']",
    "evaluation.max_new_tokens=24", "budget.flops=1e9", "branches.ppo.episodes_per_iteration=8",
    "branches.ppo.minibatch=8", "branches.ppo.max_new_tokens=24", "branches.sft.batch=2", "init.batch=2",
)  # fmt: skip
SOON = 2.0
"""Seconds within which a page shows what was written."""


def cell(page: Page, title: str, column: str) -> Any:
    return page.locator(f'#progress-table tr[data-key="{title}"] [data-column="{column}"] > span')


def table(page: Page) -> list[list[str]]:
    """The numbers of the charts as the page tells them."""
    page.evaluate("document.getElementById('success-numbers').open = true")
    page.wait_for_selector("#success-numbers td", state="attached")
    rows = page.locator("#success-numbers tr").all()
    return [[re.sub(r"\s+", " ", each).strip() for each in row.locator("th, td").all_text_contents()] for row in rows]


def told(server: Server, name: str) -> dict[str, Any]:
    """The table of values that the server has of a run."""
    with urllib.request.urlopen(f"{server.run(name)}board") as reply:
        patch: dict[str, Any] = json.load(reply)["patch"]
        return patch


def test_a_study_is_watched_from_its_start_to_its_end(browser: Browser, tmp_path: Path) -> None:
    settings = [f"--set={one}" for one in TOY]
    code = "from shiftgym.cli.main import main; main()"
    command = [sys.executable, "-c", code, "study", "run", "points-text-quick", *settings, "--runs", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as driver:
        while not list(tmp_path.glob("*/study.toml")):
            assert driver.poll() is None
            time.sleep(0.1)
        (folder,) = tmp_path.iterdir()
        with Server(folder) as server, seen(browser) as shown:
            page = shown.opened(server.url)
            expect(page.locator("#state")).to_have_attribute("data-state", "running")
            expect(page.locator("#connection")).to_have_attribute("data-state", "connected")
            for title in ("init-seed0", "sft-seed0", "ppo-seed0"):
                expect(cell(page, title, "state")).to_have_text("done", timeout=240_000)
                expect(cell(page, title, "rule_ood")).to_have_text(re.compile(r"\d %"))
            expect(page.locator("#state")).to_have_attribute("data-state", "done", timeout=240_000)
            see_charts(page)
            assert points(page, "rule_ood", "sft") > 0 and points(page, "rule_ood", "ppo") > 0
            see_charts(page, "curves")
            assert page.locator("#list details.episode").count() > 0
            assert driver.wait(120) == 0
            live, served = table(page), told(server, folder.name)
            page.goto((folder / "report.html").as_uri())
            (carried,) = boards(page)
            assert carried["success"] == served["success"] != {}
            # The driver goes on to count seconds until it has written the report.
            stands = [{key: of | {"seconds": 0} for key, of in each["branches"].items()} for each in (carried, served)]
            assert stands[0] == stands[1]
            assert carried["curves"] == served["curves"] != {}
            assert table(page) == live


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the small study, which a test may change."""
    return Path(shutil.copytree(folder / "small", tmp_path / "small"))


def test_a_new_checkpoint_is_shown_soon_and_nothing_is_lacking_after_the_server_was_away(
    browser: Browser, copy: Path
) -> None:
    server = Server(copy)
    try:
        with Writer(copy, "ppo-seed0") as writer, seen(browser) as shown:
            page = shown.opened(server.url)
            expect(cell(page, "ppo-seed0", "state")).to_have_text("running")
            see_charts(page)
            page.wait_for_selector('figure[data-chart="id"] path.line[data-key="0|ppo"]', state="attached")
            before = points(page, "id", "ppo")
            writer.checkpoint()
            took = until(lambda: points(page, "id", "ppo") != before)
            assert took < SOON, f"the new checkpoint was shown after {took:.1f} s"

            shown.away = True
            server.end()
            expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
            writer.checkpoint()
            writer.end()
            server = Server(copy, server.port)
            expect(page.locator("#connection")).to_have_attribute("data-state", "ended")
            shown.away = False
            expect(cell(page, "ppo-seed0", "state")).to_have_text("done")
            expect(page.locator("#state")).to_have_attribute("data-state", "done")
            # A chart is drawn once a second at most.
            until(lambda: points(page, "id", "ppo") == before + 2)
            with seen(browser) as anew:
                assert table(anew.opened(server.url)) == table(page)

            # Of a run that has ended nothing is missing.
            shown.away = True
            server.process.kill()
            expect(page.locator("#connection")).to_have_text("Ended, and so has the server")
    finally:
        server.end()
