"""How soon the live page shows a checkpoint that was just written, in a small run and in one of 100 branches.

    python benchmarks/live_page.py [--checkpoints 10]

`shiftgym view` serves a run folder of made-up numbers, of which one branch goes on: a writer adds the rows of one
checkpoint after the other, as a training does. The page is open in Chromium. Seconds are those of a clock, from when
the rows are written until the line of that branch in the chart has one point more. Between two checkpoints passes a
time that differs, since the server looks at the files at fixed intervals.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.chromium import CHROMIUM, Server, points, see_charts, seen, until
from tests.browser.runs import Writer
from tests.following.made import Made

SOON = 2.0
"""Seconds within which a checkpoint is to be seen."""

SIZES = {
    "small": Made(branches=2, seeds=1, checkpoints=50, problems=32),
    "large": Made(branches=101, seeds=1, checkpoints=50, problems=32),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=10, help="to wait for in each run (10)")
    options = parser.parse_args()

    longest = 0.0
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for size, made in SIZES.items():
            took = shown_after(browser, made.write(Path(folder) / size), options.checkpoints)
            told = f"{median(took):.2f} s in the middle, {max(took):.2f} s at most, of {len(took)}"
            print(f"{len(made.names)} branches: {told}", flush=True)
            longest = max(longest, *took)
        browser.close()
    print(f"promised: shown within {SOON:g} s; {'kept' if longest < SOON else 'missed'}")
    return 0 if longest < SOON else 1


def shown_after(browser: Browser, run: Path, checkpoints: int) -> list[float]:
    """Seconds until each of so many checkpoints is shown."""
    took = []
    pause = random.Random(0).uniform
    with Writer(run, "branch-1-seed0") as writer, Server(run) as server, seen(browser) as shown:
        page = shown.opened(server.url)
        see_charts(page)
        page.wait_for_selector("#changes tbody tr")
        for _ in range(checkpoints):
            time.sleep(pause(1, 2))
            before = points(page, "id", "branch-1")
            writer.checkpoint()
            took.append(until(lambda before=before: points(page, "id", "branch-1") != before))
    return took


if __name__ == "__main__":
    raise SystemExit(main())
