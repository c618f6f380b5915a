"""Pages in Debian's Chromium, servers of pages, and what axe-core finds in them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[2] / ".axe-core-4.14.1" / "package" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""Tags of axe-core that make up the levels A and AA."""

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class Seen:
    """A page, and what has gone wrong on it: dialogs, errors of scripts, and what the browser refused or reported."""

    page: Page
    wrong: list[str] = field(default_factory=list)
    away: bool = False
    """Whether the server is away on purpose, so that requests fail."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(30_000)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("dialog", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and not (self.away and message.text.startswith("Failed to load")):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def opened(self, url: str) -> Page:
        """The page at a URL, once it shows what it has to show."""
        self.page.goto(url)
        self.page.wait_for_selector("h1:visible")
        return self.page


@contextmanager
def seen(browser: Browser, *, dark: bool = False, phone: bool = False) -> Iterator[Seen]:
    """A fresh page; in the end nothing may have gone wrong on it."""
    context = browser.new_context(color_scheme="dark" if dark else "light", viewport=PHONE if phone else DESK)  # type: ignore[arg-type]
    with context:
        shown = Seen(context.new_page())
        yield shown
        assert shown.wrong == [], shown.wrong


def see_charts(page: Page, section: str = "success") -> None:
    """Scroll to a section's charts, which are drawn only when they come into sight, and wait for their lines."""
    page.locator(f"#{section}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{section}-charts path.line", state="attached")


def points(page: Page, split: str, key: str) -> int:
    """How many points the line of a branch has."""
    line = page.locator(f'#success-charts figure[data-chart="{split}"] path.line[data-key="0|{key}"]')
    return (line.get_attribute("d") or "").count("L") + 1 if line.count() else 0


def until(holds: Callable[[], bool]) -> float:
    """Seconds until something holds, which it has to within half a minute."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    return time.monotonic() - began


def faults(page: Page) -> list[str]:
    """What axe-core finds wrong in a page at the levels A and AA: rule, and where."""
    if not AXE.is_file():
        pytest.skip("axe-core is missing: run `make axe`, which takes npm")
    # Evaluated by the debugger, which no policy of the page forbids.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("tags => axe.run(document, {preload: false, runOnly: {type: 'tag', values: tags}})", RULES)
    return [
        f"{one['id']} ({one['help']}): {node['target']} {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


class Server:
    """`shiftgym view` of a folder."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        code = "from shiftgym.cli.main import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, "view", str(folder), "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = line.partition("page: ")[2].strip()
        assert self.url, f"the server did not begin: {line}"
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def run(self, name: str) -> str:
        """The page of a run."""
        return f"{self.url}run/{name}/"

    @property
    def megabytes(self) -> float:
        """The most memory that it has used."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def boards(page: Page) -> list[dict[str, Any]]:
    """The tables of values that a file carries."""
    return [json.loads(one.text_content() or "") for one in page.locator("script.board").all()]
