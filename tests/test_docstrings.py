"""Every array or tensor in a signature has its shape in the docstring, such as (B, T), (rows, heads, 1) or scalar."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "shiftgym"

ARRAYS = {"Tensor", "Floats", "NDArray", "ndarray"}
SHAPE = re.compile(r"\((?:\.\.\.|\w[\w .+*-]*),(?:\s(?:\.\.\.|[\w .+*-]+),?)*\)|\bscalars?\b")
"""Sizes between brackets, one of them with a comma behind it; or the word scalar."""


def shapeless(path):
    """Names of functions with an array in their signature and no shape in their docstring."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        annotations = [argument.annotation for argument in arguments] + [node.returns]
        used = {word for each in annotations if each is not None for word in re.findall(r"\w+", ast.unparse(each))}
        if used & ARRAYS and not SHAPE.search(ast.get_docstring(node) or ""):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"


SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("name", SOURCES)
def test_arrays_in_signatures_have_shapes(name):
    assert list(shapeless(SOURCES[name])) == []


@pytest.mark.parametrize(
    "text", ["(B, T)", "(A,) float32", "(rows, heads, 1)", "(N, H) -> (N,)", "a scalar", "(..., 3)"]
)
def test_a_shape_is_recognised(text):
    assert SHAPE.search(f"Hidden states, {text}.")


@pytest.mark.parametrize("text", ["the states (of the trunk)", "float32", "(see there)"])
def test_other_brackets_are_no_shape(text):
    assert not SHAPE.search(text)
