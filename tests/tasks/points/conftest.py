"""An oracle for points that shares nothing with the package: brute force, and Python's own parser."""

import ast
import json
import math
import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import combinations

import pytest

OPERATORS = {
    ast.Add: Fraction.__add__,
    ast.Sub: Fraction.__sub__,
    ast.Mult: Fraction.__mul__,
    ast.Div: Fraction.__truediv__,
}


Ratio = tuple[int, int]
"""A fraction in lowest terms with a positive denominator: hashed much faster than a Fraction."""


def _ratio(numerator: int, denominator: int) -> Ratio:
    divisor = math.gcd(numerator, denominator) * (1 if denominator > 0 else -1)
    return numerator // divisor, denominator // divisor


@cache
def _reachable(numbers: tuple[Ratio, ...]) -> frozenset[Ratio]:
    """Every value that `numbers` (sorted) make: take any two, put any result in their place, go on."""
    if len(numbers) == 1:
        return frozenset(numbers)
    found: set[Ratio] = set()
    for i, j in combinations(range(len(numbers)), 2):
        (a, b), (c, d) = numbers[i], numbers[j]
        rest = [number for k, number in enumerate(numbers) if k not in (i, j)]
        results = {_ratio(a * d + c * b, b * d), _ratio(a * d - c * b, b * d), _ratio(c * b - a * d, b * d)}
        results |= {_ratio(a * c, b * d)} | ({_ratio(a * d, b * c)} if c else set())
        results |= {_ratio(b * c, a * d)} if a else set()
        for result in results:
            found |= _reachable(tuple(sorted([*rest, result])))
    return frozenset(found)


def _judge(formula: str, numbers: tuple[int, ...], target: int) -> str:
    """The outcome that DESIGN section 3 asks for, for a formula of ASCII characters on one line."""
    left, equals, right = formula.partition("=")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(left.strip(" \t"), mode="eval").body
        used: list[int] = []
        value = _value(tree, used)
        claim = ast.literal_eval(right.strip(" \t")) if equals else target
    except (SyntaxError, ValueError):
        return "illegal"
    if equals and not right.strip(" \t").isdigit():
        return "illegal"
    if sorted(used) != sorted(numbers):
        return "wrong_numbers"
    return "correct" if value == target == claim else "wrong_value"


def _value(tree: ast.expr, used: list[int]) -> Fraction | None:
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        used.append(tree.value)
        return Fraction(tree.value)
    if not isinstance(tree, ast.BinOp) or type(tree.op) not in OPERATORS:
        raise ValueError("not in the language")
    left, right = _value(tree.left, used), _value(tree.right, used)
    if left is None or right is None or (isinstance(tree.op, ast.Div) and not right):
        return None
    return OPERATORS[type(tree.op)](left, right)


@pytest.fixture(scope="session")
def reachable() -> Callable[[tuple[int, ...]], set[int]]:
    """Every whole number that these numbers make."""
    return lambda numbers: {p for p, q in _reachable(tuple(sorted((number, 1) for number in numbers))) if q == 1}


@pytest.fixture(scope="session")
def oracle() -> Callable[[str, tuple[int, ...], int], str]:
    return _judge


@pytest.fixture(scope="session")
def said() -> Callable[..., str]:
    """An answer object with this formula."""

    def answer(formula: object, **fields: object) -> str:
        return json.dumps({"cards": ["K", "3", "8", "8"], "number": [10, 3, 8, 8], **fields, "formula": formula})

    return answer
