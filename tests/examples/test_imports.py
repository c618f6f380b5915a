"""The examples are written as a user's own files are: with what `shiftgym` exports and nothing else of it."""

import ast
import re
from pathlib import Path

import pytest

import shiftgym

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_imports_nothing_private(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    whole = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shiftgym")]
    assert not [name for name in whole if name.startswith("shiftgym.")]
    assert {node.module for node in parts} - {"shiftgym.integrations.trl"} == {"shiftgym"}
    ours = {alias.name for node in parts if node.module == "shiftgym" for alias in node.names}
    assert ours <= set(shiftgym.__all__)


@pytest.mark.parametrize("name", ["sft_loop", "rl_loop"])
def test_a_loop_is_whole_in_under_300_lines(name: str) -> None:
    (path,) = (path for path in EXAMPLES if path.stem == name)
    text = path.read_text(encoding="utf-8")
    (line,) = re.findall("^from shiftgym import (.*)$", text, re.MULTILINE)
    assert set(line.split(", ")) <= {"build_task", "derive", "load_policy", "play", "rng"}
    assert len(text.splitlines()) < 300
