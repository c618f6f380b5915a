"""The pages of the documentation as data: fenced blocks with what is said of them, commands, links and anchors.

A page is Markdown as GitHub reads it. A comment on the line above a fenced block says what becomes of the block in the
tests: `<!-- runs -->`, `<!-- file: NAME -->` or `<!-- not run: WHY -->`. CONTRIBUTING.md has the rule.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.commands import commands

ROOT = Path(__file__).parents[1]
PAGES = [
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "results/*.md")
    for path in sorted(ROOT.glob(pattern))
]
"""Every page, by its path in the repository."""

MARK = re.compile(r"<!-- (runs|file: \S+|not run: .+) -->")
COMMANDS = ("sh", "console")
"""Languages of blocks that hold commands. In `console`, commands stand behind `$ `, and what they print follows."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    """Where its text begins in the page, from 1."""
    language: str
    mark: str
    """`runs`, `file: NAME`, `not run: WHY`, or nothing."""
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.mark == "runs"

    @property
    def file(self) -> str:
        """The file that the block is written to, if it is."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else ""

    @property
    def script(self) -> str:
        """The commands of the block as a script."""
        if self.language == "sh":
            return self.text
        typed = re.findall(r"^\$ ((?:.*\\\n)*.*)$", self.text, re.MULTILINE)
        return "\n".join(typed)

    def commands(self) -> list[list[str]]:
        """The words of each command."""
        return list(commands(self.script)) if self.language in COMMANDS else []


@cache
def tokens(page: str) -> list[Token]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


@cache
def blocks(page: str) -> list[Block]:
    """The fenced and the indented blocks of a page, in order. An indented one has no language, and no mark."""
    found, said = [], ""
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            assert token.map
            language = token.info.partition(" ")[0]
            found.append(Block(page, token.map[0] + 2, language, said, token.content))
        mark = MARK.fullmatch(token.content.strip()) if token.type == "html_block" else None
        said = mark[1] if mark else ""
    return found


def _inline(page: str) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def typed(page: str) -> list[str]:
    """Code within sentences."""
    return [token.content for token in _inline(page) if token.type == "code_inline"]


def links(page: str) -> list[str]:
    """Where the links and the pictures of a page lead."""
    found = [token.attrGet("src" if token.type == "image" else "href") for token in _inline(page)]
    return [unquote(str(each)) for each in found if each is not None]


@cache
def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    seen: Counter[str] = Counter()
    found = set()
    for before, token in zip(tokens(page), tokens(page)[1:], strict=False):
        if before.type == "heading_open":
            text = "".join(each.content for each in token.children or () if each.type in ("text", "code_inline"))
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found
