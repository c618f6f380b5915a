"""Builds the documentation site, `site/`, from `docs/` and what its pages link to: `make docs`.

Pages are written for GitHub. Before Zensical reads them they are copied to `build/docs`. There a link to a file outside
`docs/` leads to a page that shows this file, and comments are left out. Every warning of the build is an error. Beside
the site's pages lie their texts and `llms.txt`, for language models (https://llmstxt.org).
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = PurePosixPath("docs")

SOURCES = PurePosixPath("source")
"""The folder of the site with pages of files outside `docs/`."""

LANGUAGES = {".py": "python", ".sh": "sh", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".jinja": "jinja"}
"""How a file is highlighted, by the end of its name."""

QUIET = ("Build started", "Build finished", "No issues found")
"""What Zensical says when all is well. Anything else, such as a remark on a docstring, is a warning."""

LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
HEAD = "---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n"
"""The head of a page that shows a file: the search leaves it out, and code has the width of the contents too."""
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^( *)(`{3,})[^\n]*\n.*?^\1\2`*$", re.MULTILINE | re.DOTALL)


def outside_fences(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a page in order, and of each whether it is prose (and not a fenced block)."""
    at = 0
    for fence in FENCE.finditer(text):
        yield text[at : fence.start()], True
        yield fence[0], False
        at = fence.end()
    yield text[at:], True


def place(path: PurePosixPath) -> PurePosixPath:
    """Where a file of the repository stands among the staged pages."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS)
    return SOURCES / (path if path.suffix == ".md" else f"{path}.md")


class Stage:
    """Copies pages, and with them the files outside `docs/` that they link to.

    Args:
        root: The repository.
        folder: Where the copies go.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.done: set[PurePosixPath] = set()

    def page(self, path: PurePosixPath) -> None:
        """Copy a page, a picture or a file of code; a file that was copied before is left alone."""
        if path in self.done:
            return
        self.done.add(path)
        source, target = self.root / path, self.folder / place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(self.linked(path, source.read_text(encoding="utf-8")), encoding="utf-8")
        elif path.is_relative_to(DOCS):
            shutil.copyfile(source, target)
        else:
            target.write_text(self.linked(path, shown(self.root, path)), encoding="utf-8")

    def linked(self, path: PurePosixPath, text: str) -> str:
        """The text of a page without comments, with its links as they are in the site."""
        return "".join(
            LINK.sub(lambda link: self.link(path, link[0]), COMMENT.sub("", part)) if prose else part
            for part, prose in outside_fences(text)
        )

    def link(self, path: PurePosixPath, target: str) -> str:
        """A link of a page as it is in the site. What it leads to is copied too."""
        name, hash_, anchor = target.partition("#")
        if not name or "://" in name or name.startswith("mailto:"):
            return target
        led = PurePosixPath(os.path.normpath(path.parent / name))
        if not (self.root / led).exists():
            raise SystemExit(f"{path} links to {target}, which is not there")
        self.page(led)
        return f"{os.path.relpath(place(led), place(path).parent)}{hash_}{anchor}"


def shown(root: Path, path: PurePosixPath) -> str:
    """A page that shows a file, or lists a folder. The search finds what is written about it instead."""
    source = root / path
    if source.is_dir():
        names = sorted(each.name for each in source.iterdir() if not each.name.startswith(("__", ".")))
        return f"{HEAD}# {path}\n\n" + "".join(f"* [{name}]({path.name}/{name})\n" for name in names)
    text = source.read_text(encoding="utf-8")
    fence = "`" * max(len(run) + 1 for run in ["``", *re.findall(r"`+", text)])
    return f"{HEAD}# {path}\n\n{fence}{LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"


def pages(nav: list[Any]) -> Iterator[tuple[str, list[PurePosixPath]]]:
    """The sections of the navigation, each with its pages. A page that stands alone is a section of one page."""
    for section in nav:
        [title] = section
        yield title, list(_within(section))


def _within(entry: dict[str, Any]) -> Iterator[PurePosixPath]:
    for inside in entry.values():
        if isinstance(inside, str):
            yield PurePosixPath(inside)
        else:
            for each in inside:
                yield from _within(each)


def summary(text: str) -> tuple[str, str]:
    """The title of a page, and the first sentence of its first paragraph as plain text."""
    prose = "".join(part for part, prose in outside_fences(text) if prose)
    blocks = [" ".join(block.split()) for block in prose.split("\n\n") if block.strip()]
    title = next((block.removeprefix("# ") for block in blocks if block.startswith("# ")), "")
    first = next((block for block in blocks if block[0] not in "#!>|*-<"), "")
    plain = re.sub(r"[*`]|\[([^]]*)\]\([^)]*\)", r"\1", first)
    return title, re.split(r"(?<=[.?!])\s", plain, maxsplit=1)[0]


def llms(project: dict[str, Any], folder: Path) -> tuple[str, str]:
    """The texts of `llms.txt` (titles, links and first sentences) and of `llms-full.txt` (every page)."""
    index, full = [f"# {project['site_name']}", "", f"> {project['site_description']}"], []
    for section, inside in pages(project["nav"]):
        index += ["", f"## {section}", ""]
        for page in inside:
            text = (folder / page).read_text(encoding="utf-8")
            title, sentence = summary(text)
            index.append(f"- [{title}]({page}): {sentence}")
            full.append(text)
    return "\n".join(index) + "\n", "\n".join(full)


def build(root: Path = ROOT) -> None:
    """Stage the pages of the navigation, build the site, and put the pages' own texts and `llms.txt` beside them.

    Raises:
        SystemExit: A page links to what is not there, or Zensical has a warning.
    """
    with (root / "zensical.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    staged, site = root / project["docs_dir"], root / project["site_dir"]
    shutil.rmtree(staged, ignore_errors=True)
    stage = Stage(root, staged)
    for path in sorted((root / DOCS).rglob("*")):
        if path.is_file():
            stage.page(PurePosixPath(path.relative_to(root)))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    # After warnings Zensical ends with a traceback of itself, and it colours what it says.
    said, _, traceback = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr).partition("Traceback ")
    told = [line for line in said.splitlines() if not line.startswith(QUIET)]
    if done.returncode or told:
        raise SystemExit("\n".join(told) or traceback)
    index, full = llms(project, staged)
    (site / "llms.txt").write_text(index, encoding="utf-8")
    (site / "llms-full.txt").write_text(full, encoding="utf-8")
    for _, inside in pages(project["nav"]):
        for page in inside:
            shutil.copyfile(staged / page, site / page)


if __name__ == "__main__":
    began = time.monotonic()
    build()
    print(f"site/index.html, after {time.monotonic() - began:.0f} seconds")
