"""How soon the live page opens and shows a checkpoint that was just written, and how smoothly it answers, in a small
run and in one of 100 branches.

    python benchmarks/live_page.py [--checkpoints 10]

`shiftgym view` serves a run folder of made-up numbers, of which one branch goes on: a writer adds the rows of one
checkpoint after the other, as a training does. The page is open in Chromium. Seconds are those of a clock, from when
the rows are written until the line of that branch in the chart has one point more. Between two checkpoints passes a
time that differs, since the server looks at the files at fixed intervals. The page is opened when the server has just
begun, and is open when it shows every branch and a chart with its lines. A pause is the time from a key that moves
through a chart until the next frame.
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
"""Seconds within which a checkpoint is to be seen, and the page to be open."""

SMOOTH = 0.25
"""Seconds for which, in the middle, a key may keep the page from its next frame."""

READY = 120_000
"""Milliseconds within which the server has computed all intervals of the run and has nothing else to do."""

PAUSES = """
async () => {
    const pauses = [];
    const chart = document.querySelector("#success-charts [role=slider]");
    for (const key of ["End", "ArrowLeft", "ArrowLeft", "Home", "ArrowRight", "ArrowRight", "ArrowRight"]) {
        const began = performance.now();
        chart.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        await new Promise(requestAnimationFrame);
        pauses.push((performance.now() - began) / 1000);
    }
    return pauses;
}
"""

SIZES = {
    "small": Made(branches=2, seeds=1, checkpoints=50, problems=32),
    "large": Made(branches=101, seeds=1, checkpoints=50, problems=32),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=10, help="to wait for in each run (10)")
    options = parser.parse_args()

    missed = []
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for size, made in SIZES.items():
            run, branches = made.write(Path(folder) / size), len(made.names)
            opened, pauses = opening(browser, run, branches)
            took = shown_after(browser, run, options.checkpoints)
            print(f"{branches} branches: opened in {opened:.2f} s, a key takes {median(pauses):.3f} s,")
            print(f"  a checkpoint {median(took):.2f} s in the middle and {max(took):.2f} s at most, of {len(took)}")
            kept = {"opening": opened < SOON, "smoothness": median(pauses) < SMOOTH, "checkpoints": max(took) < SOON}
            missed += [f"{name} with {branches} branches" for name, is_kept in kept.items() if not is_kept]
        browser.close()
    told = f"missed: {', '.join(missed)}" if missed else "all kept"
    print(f"promised: open and shown within {SOON:g} s, a key within {SMOOTH:g} s; {told}")
    return 1 if missed else 0


def opening(browser: Browser, run: Path, branches: int) -> tuple[float, list[float]]:
    """Seconds until a page of a run is open, and of the pauses when keys move through its chart."""
    with Server(run) as server, seen(browser) as shown:
        began = time.monotonic()
        shown.page.goto(server.url)
        shown.page.wait_for_selector(f"#progress-table tbody tr:nth-child({branches})", state="attached")
        see_charts(shown.page)
        opened = time.monotonic() - began
        shown.page.wait_for_selector("#changes tbody tr", timeout=READY)
        return opened, shown.page.evaluate(PAUSES)


def shown_after(browser: Browser, run: Path, checkpoints: int) -> list[float]:
    """Seconds until each of so many checkpoints is shown."""
    took = []
    pause = random.Random(0).uniform
    with Writer(run, "branch-1-seed0") as writer, Server(run) as server, seen(browser) as shown:
        page = shown.opened(server.url)
        see_charts(page)
        page.wait_for_selector("#changes tbody tr", timeout=READY)
        for _ in range(checkpoints):
            time.sleep(pause(1, 2))
            before = points(page, "id", "branch-1")
            writer.checkpoint()
            took.append(until(lambda before=before: points(page, "id", "branch-1") != before))
    return took


if __name__ == "__main__":
    raise SystemExit(main())
