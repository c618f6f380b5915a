"""Makes the gallery: reports of shipped studies that a reader can open, their thumbnails, and docs/gallery.md.

    python scripts/gallery.py                          run what has not run yet into runs/gallery, then make everything
    python scripts/gallery.py runs/gallery runs/paper-20260101-120000      look there for finished runs, too
    python scripts/gallery.py runs/gallery -- rg-shift                     only this report; the page keeps the others

Runs are kept, so after a change of the report's code only the reports are made again, in two minutes. From nothing all
studies take about two hours on two cores. Thumbnails take Chromium.
"""

import io
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from shiftgym.files import with_part, write_text
from shiftgym.following.declaration import START
from shiftgym.layout import RunFolder, branch_title
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.judgement import opening
from shiftgym.reports.load import load_run
from shiftgym.reports.page import render_report

DOCS = Path(__file__).parents[1] / "docs"
REPORTS, PAGE, FOLDER = DOCS / "gallery.toml", DOCS / "gallery.md", DOCS / "gallery"
LARGEST = 1_500_000
"""Bytes of a report, if what it shows beside episodes leaves room for that."""
CHROMIUM = "/usr/bin/chromium"


def main(arguments: list[str]) -> None:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    places = [Path(argument) for argument in arguments[:at]] or [Path("runs/gallery")]
    entries = tomllib.loads(REPORTS.read_text(encoding="utf-8"))["reports"]
    chosen = arguments[at + 1 :] or [entry["name"] for entry in entries]
    FOLDER.mkdir(exist_ok=True)
    page = PAGE.read_text(encoding="utf-8")
    for entry in entries:
        if entry["name"] in chosen:
            folder = _run(entry, places)
            # Where the runs lie on this machine is nobody's business.
            report = render_report(folder, LARGEST).replace(f"{Path.cwd()}/", "")
            write_text(FOLDER / f"{entry['name']}.html", report)
            page = with_part(page, entry["name"], _section(entry, folder, len(report.encode())))
    _photograph(chosen)
    write_text(PAGE, page)


def _run(entry: dict[str, Any], places: Sequence[Path]) -> Path:
    """The finished run of an entry; where there is none, the study is run, or resumed."""
    found = [path for place in places for path in _runs(place, entry["name"])]
    finished = [path for path in found if RunFolder(path).results.is_file()]
    if finished:
        return finished[-1]
    if "compare" in entry:
        (study,) = (path for place in places for path in _runs(place, entry["compare"])[-1:])
        _shiftgym(*_comparison(entry, study), "--out", str(places[0] / f"{entry['name']}-0"))
    elif found:
        _shiftgym("study", "resume", str(found[-1]))
    else:
        _shiftgym("study", "run", entry["name"], "--device", "cpu", "--runs", str(places[0]))
    return _run(entry, places)


def _runs(place: Path, name: str) -> list[Path]:
    """Runs of that name in a folder of runs, oldest first, or the one in the folder of a suite."""
    named = [path for path in sorted(place.glob(f"{name}-*")) if path.name.removeprefix(f"{name}-")[:1].isdigit()]
    return named + [path for path in [place / name] if path.is_dir()]


def _comparison(entry: dict[str, Any], study: Path) -> list[str]:
    """The command that judges the last checkpoints of the two branches that a study is about, with its first seed."""
    run = load_run(study)
    chosen = [name for name in (START, run.compare.supervised, run.compare.reinforced) if name]
    folders = [RunFolder(study).branch(branch_title(name, run.seeds[0])) for name in chosen]
    last = [folder.checkpoints()[-1].path for folder in folders]
    labels = [part for name in chosen for part in ("--label", run.named[name].label)]
    return ["compare", *map(str, last), *labels, "--study", entry["compare"], "--device", "cpu"]


def _shiftgym(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).with_name("shiftgym"), *arguments], check=True)


def _section(entry: dict[str, Any], folder: Path, size: int) -> str:
    """What the page says of a report."""
    run = load_run(folder)
    if "compare" in entry:
        command = f"shiftgym compare INIT SFT PPO --study {entry['compare']}"
    else:
        command = f"shiftgym study run {entry['name']}"
    environment = run.environment()
    day = str(environment.get("started") or "")[:10]
    commit = f" at commit {environment['git_commit'][:7]}" if environment.get("git_commit") else ""
    shown = f"gallery/{entry['name']}"
    return "\n".join(
        [
            f"## {entry['title']}",
            "",
            f"[![The top of the report: {entry['title']}]({shown}.webp)]({shown}.html)",
            "",
            entry["about"],
            "",
            f"In the report's words: *{opening(Analysis([run])).strip()}*",
            "",
            f"[Open the report]({shown}.html) ({size / 1e6:.1f} MB). Run by `{command}` on {day}{commit}.",
            "",
        ]
    )


def _photograph(names: Sequence[str]) -> None:
    """A picture of the top of each report, as a reader sees it first."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 1240}, color_scheme="light", device_scale_factor=0.7)
        for name in names:
            page.goto((FOLDER / f"{name}.html").resolve().as_uri())
            page.wait_for_load_state("networkidle")
            Image.open(io.BytesIO(page.screenshot())).save(FOLDER / f"{name}.webp", quality=85, method=6)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
