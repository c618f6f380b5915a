"""Every page: what its blocks and links say is so. What is marked to run is run by test_pages_run.py."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from os.path import normpath
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from cyclopts import MissingArgumentError
from tests.commands import commands, taken
from tests.pages import COMMANDS, PAGES, ROOT, Block, anchors, blocks, links, typed

import shiftgym
from shiftgym.studies.config import load_study

LANGUAGES = {*COMMANDS, "python", "pycon", "toml", "yaml", "json", "text"}

RUNNABLE = {"shiftgym", "make", "python"}
"""Programs of blocks that run. Of `make`, only the plan is asked for."""


def code(block: Block) -> str:
    """The Python of a block, which may show a part of a class; of a dialogue with the interpreter, what was typed."""
    if block.language == "pycon":
        return "\n".join(re.findall(r"^(?:>>>|\.\.\.) ?(.*)$", block.text, re.MULTILINE))
    return dedent(block.text)


def imported(module: str, name: str) -> bool:
    """Whether a module of ours defines a name, as its source says; nothing is imported."""
    if module == "shiftgym" and name in shiftgym.__all__:
        return True
    path = ROOT / ("" if module.startswith("examples") else "src") / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if (path / name).is_dir() or (path / f"{name}.py").is_file():
        return True
    top = ast.parse(source.read_text(encoding="utf-8"))
    return name in {node.id for node in ast.walk(top) if isinstance(node, ast.Name)} | {
        each.name.rpartition(".")[2] if isinstance(each, ast.alias) else each.name
        for each in ast.walk(top)
        if isinstance(each, ast.FunctionDef | ast.ClassDef | ast.alias)
    }


def checked(block: Block, written: frozenset[str]) -> None:
    """Check a block as far as it can be without running it."""
    match block.language:
        case "sh" | "console":
            for words in block.commands():
                taken(tuple(words), written)
        case "python" | "pycon":
            tree = ast.parse(code(block))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("shiftgym", "examples")):
                    for name in node.names:
                        assert imported(str(node.module), name.name), f"{node.module} has no {name.name}"
        case "toml":
            settings = tomllib.loads(block.text)
            if block.runs:
                load_study("points-text", list(changes(settings)))
        case "yaml":
            yaml.safe_load(block.text)
        case "json":
            json.loads(block.text)


def changes(settings: dict[str, Any]) -> Iterator[str]:
    """The settings of a part of a study file, as `--set` takes them."""
    for key, value in settings.items():
        inner = value if isinstance(value, dict) else {"": value}
        yield from (f"{key}.{name}".rstrip(".") + f"={inline(each)}" for name, each in inner.items())


def inline(value: Any) -> str:
    """A value of TOML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_blocks_say_whether_they_run_and_hold_what_is_so(page: str) -> None:
    written: frozenset[str] = frozenset()
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block}: a block names its language, one of {sorted(LANGUAGES)}"
        assert (block.language == "text") != bool(block.mark), (
            f"{block}: the line above says <!-- runs -->, <!-- file: NAME --> or <!-- not run: WHY -->; not above text"
        )
        if block.runs:
            programs = {Path(words[0]).name for words in block.commands()}
            assert programs <= RUNNABLE, f"{block}: {programs - RUNNABLE} cannot stand in a block that runs"
        try:
            checked(block, written)
        except Exception as error:
            raise AssertionError(f"{block}: {error}") from error
        written |= {block.file}
    scripts = "\n".join(block.script for block in blocks(page) if block.language in COMMANDS)
    done = subprocess.run(["bash", "-n"], input=scripts, capture_output=True, text=True)
    assert not done.returncode and not done.stderr, done.stderr


def test_pages_hold_all_kinds_of_commands() -> None:
    told = " ".join(word for page in PAGES for block in blocks(page) for words in block.commands() for word in words)
    for kind in ("ray start --head", "ray symmetric-run", "study run", "study resume", "local_cluster.py --", "make"):
        assert kind in told


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_sentences_are_known(page: str) -> None:
    for text in typed(page):
        if re.match(r"(shiftgym|make|python) [a-z./-]+", text) and not re.search(r"\.\.\.|…|\[[A-Z]", text):
            for words in commands(text):
                # A sentence may name a command alone, or with the options that it is about.
                with suppress(MissingArgumentError):
                    taken(tuple(words))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_are_there(page: str) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(:\d+)?(/\S*)?", link), f"{page} links to {link}"
            continue
        name, _, anchor = link.partition("#")
        led = normpath(Path(page).parent / name) if name else page
        assert (ROOT / led).exists(), f"{page} links to {link}"
        if anchor:
            assert led in PAGES and anchor in anchors(led), f"{page} links to {link}, and {led} has no such heading"


def test_the_list_of_integrations_names_every_page() -> None:
    listed = links("docs/integrations/README.md")
    for page in PAGES:
        if page.startswith("docs/integrations/") and not page.endswith("README.md"):
            assert Path(page).name in listed, f"docs/integrations/README.md lists {page}"


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("SFT, RL & `rule_ood`", "sft-rl--rule_ood"), ("What it costs?", "what-it-costs"), ("Hübotter", "hübotter")],
)
def test_anchors_are_those_of_github(heading: str, anchor: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# {heading}\n\n## {heading}\n\n[there](#{anchor})\n", encoding="utf-8")
    assert anchors(str(page)) == {anchor, f"{anchor}-1"}
    assert links(str(page)) == [f"#{anchor}"]
