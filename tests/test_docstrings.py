"""Every array or tensor in a signature has its shape in the docstring, such as (B, T), (rows, heads, 1) or scalar."""

import ast
import re

import pytest
from tests.sources import SOURCES, parsed

ARRAYS = {"Tensor", "Floats", "NDArray", "ndarray"}
SHAPE = re.compile(r"\((?:\.\.\.|\w[\w .+*-]*),(?:\s(?:\.\.\.|[\w .+*-]+),?)*\)|\bscalars?\b")
"""Sizes between brackets, one of them with a comma behind it; or the word scalar."""


def shapeless(name):
    """Names of functions with an array in their signature and no shape in their docstring."""
    for node in parsed(SOURCES[name]):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        annotations = [argument.annotation for argument in arguments] + [node.returns]
        used = {word for each in annotations if each is not None for word in re.findall(r"\w+", ast.unparse(each))}
        if used & ARRAYS and not SHAPE.search(ast.get_docstring(node) or ""):
            yield f"{name}:{node.lineno} {node.name}"


def test_arrays_in_signatures_have_shapes():
    assert [function for name in SOURCES for function in shapeless(name)] == []


@pytest.mark.parametrize(
    "text", ["(B, T)", "(A,) float32", "(rows, heads, 1)", "(N, H) -> (N,)", "a scalar", "(..., 3)"]
)
def test_a_shape_is_recognised(text):
    assert SHAPE.search(f"Hidden states, {text}.")


@pytest.mark.parametrize("text", ["the states (of the trunk)", "float32", "(see there)"])
def test_other_brackets_are_no_shape(text):
    assert not SHAPE.search(text)
