"""The pages about integrations and the README: our program takes their commands, and what they link to is there."""

import re
import shlex
from pathlib import Path

import pytest

from shiftgym.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "integrations").glob("*.md"))]
FENCED = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page):
    text = page.read_text(encoding="utf-8")
    for block in FENCED.findall(text):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            yield from (
                part.strip() for part in line.partition("  #")[0].split("&&") if part.strip().startswith("shiftgym ")
            )


COMMANDS = sorted({(page.name, command) for page in PAGES for command in commands(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_of_ours_is_taken(page, command):
    words = shlex.split(re.split(r"\s[>|&]", command)[0])
    app.parse_args(words[1:], exit_on_error=False, print_error=False)


def test_the_list_names_every_page():
    listed = (ROOT / "docs" / "integrations" / "README.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.name == "README.md" or f"]({page.name})" in listed, f"docs/integrations/README.md lists {page.name}"


def test_every_file_that_a_page_links_to_is_there():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
