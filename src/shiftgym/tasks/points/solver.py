"""Exact solver: can these numbers make the target with + - * /, each used once, and how.

Every value is a reduced fraction (numerator, denominator) of Python integers, so 8/(3-8/3) is 24 and nothing is
ever rounded. The search is directed by the target: split the numbers in two parts, take every value of the smaller
part and look up what the larger part would have to be. Answers are cached by the sorted numbers, so a hand is solved
once and afterwards dealing is a table look-up.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import combinations, islice
from math import gcd

Number = tuple[int, int]
"""A reduced fraction with a positive denominator."""

Tree = int | tuple[str, "Tree", "Tree"]
"""A card's value, or (operator, left, right)."""

CANONICAL = 3
"""How many solutions of a hand count as canonical."""

_TABLE_SIZE = 3
"""Up to this many numbers all reachable values are tabulated; more are searched."""

_SEARCHED = 1000
"""Solutions searched before the canonical ones are chosen; all of them for most hands of four."""


def reduced(numerator: int, denominator: int) -> Number:
    divisor = gcd(numerator, denominator)
    if denominator < 0:
        divisor = -divisor
    return numerator // divisor, denominator // divisor


def apply(operator: str, a: Number, b: Number) -> Number | None:
    """`a operator b`, or None for a division by zero."""
    (p, q), (r, s) = a, b
    if operator == "+":
        return reduced(p * s + r * q, q * s)
    if operator == "-":
        return reduced(p * s - r * q, q * s)
    if operator == "*":
        return reduced(p * r, q * s)
    return reduced(p * s, q * r) if r else None


def value(tree: Tree) -> Number:
    """The exact value of a tree that divides by zero nowhere."""
    if isinstance(tree, int):
        return tree, 1
    result = apply(tree[0], value(tree[1]), value(tree[2]))
    assert result is not None
    return result


def solvable(values: tuple[int, ...], target: int) -> bool:
    """Whether `values` (any order) can make `target`."""
    return solution(tuple(sorted(values)), (target, 1)) is not None


@lru_cache(maxsize=1 << 16)
def solutions(values: tuple[int, ...], target: int) -> tuple[Tree, ...]:
    """Up to `CANONICAL` solutions, the plainest first: whole numbers, nothing negative, few divisions, small numbers.

    `values` must be sorted. Solutions that differ only in the order of terms or factors count as one.
    """
    found: dict[str, Tree] = {}
    for tree in sorted(islice(_find(values, (target, 1)), _SEARCHED), key=_plainness):
        found.setdefault(_normal_form(tree), tree)
    return tuple(islice(found.values(), CANONICAL))


def formula(tree: Tree) -> str:
    """The tree as text, with brackets only where they are needed."""
    return _text(tree)[0]


_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}


def _text(tree: Tree) -> tuple[str, int]:
    if isinstance(tree, int):
        return str(tree), 3
    operator, left, right = tree
    binding = _BINDING[operator]
    (a, a_binding), (b, b_binding) = _text(left), _text(right)
    if a_binding < binding:
        a = f"({a})"
    if b_binding < binding or (b_binding == binding and operator in "-/"):
        b = f"({b})"
    return f"{a}{operator}{b}", binding


def _plainness(tree: Tree) -> tuple[int, int, int, int, int, str]:
    inner = list(_inner_values(tree))
    text = formula(tree)
    return (
        sum(d != 1 for _, d in inner),
        sum(n < 0 for n, _ in inner),
        text.count("/"),
        text.count("("),
        max((abs(n) for n, _ in inner), default=0),
        text,
    )


def _normal_form(tree: Tree) -> str:
    """One text for all trees that are the same chain of terms, or of factors, in another order or bracketing."""
    if isinstance(tree, int):
        return str(tree)
    plus, minus = "+-" if tree[0] in "+-" else "*/"
    chain: list[str] = []

    def collect(node: Tree, sign: bool) -> None:
        if not isinstance(node, int) and node[0] in (plus, minus):
            collect(node[1], sign)
            collect(node[2], sign ^ (node[0] == minus))
        else:
            chain.append((minus if sign else plus) + _normal_form(node))

    collect(tree, False)
    return f"({''.join(sorted(chain))})"


def _inner_values(tree: Tree) -> Iterator[Number]:
    if not isinstance(tree, int):
        yield from _inner_values(tree[1])
        yield from _inner_values(tree[2])
        yield value(tree)


def _splits(values: tuple[int, ...]) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Both parts of every way to split, the smaller part first."""
    indices = range(len(values))
    parts = set()
    for size in range(1, len(values) // 2 + 1):
        for chosen in combinations(indices, size):
            small = tuple([values[i] for i in chosen])
            parts.add((small, tuple([values[i] for i in indices if i not in chosen])))
    return parts


def _joined(a: Tree, b: Tree, operator: str) -> Tree:
    """One order for what commutes: the bigger operand first."""
    if operator in "+*" and (value(a), formula(a)) < (value(b), formula(b)):
        a, b = b, a
    return operator, a, b


@cache
def _table(values: tuple[int, ...]) -> dict[Number, tuple[Tree, ...]]:
    """Every value that these numbers can make, with its trees."""
    if len(values) == 1:
        return {(values[0], 1): (values[0],)}
    table: dict[Number, dict[str, Tree]] = {}
    for small, large in _splits(values):
        for a, a_trees in _table(small).items():
            for b, b_trees in _table(large).items():
                for operator, x, y, swap in (
                    ("+", a, b, False),
                    ("*", a, b, False),
                    ("-", a, b, False),
                    ("-", b, a, True),
                    ("/", a, b, False),
                    ("/", b, a, True),
                ):
                    result = apply(operator, x, y)
                    if result is None:
                        continue
                    trees = table.setdefault(result, {})
                    for left in a_trees:
                        for right in b_trees:
                            tree = _joined(right, left, operator) if swap else _joined(left, right, operator)
                            trees.setdefault(formula(tree), tree)
    return {number: tuple(trees.values()) for number, trees in table.items()}


def _partners(a: Number, target: Number) -> Iterator[tuple[str, Number | None, bool]]:
    """What b must be so that `a op b` (or `b op a`, if swapped) is the target; None where any b but 0 will do."""
    zero = a[0] == 0
    yield "+", apply("-", target, a), False
    yield "-", apply("-", a, target), False
    yield "-", apply("+", a, target), True
    if not zero:
        yield "*", apply("/", target, a), False
        yield "/", apply("*", target, a), True
        if target[0]:
            yield "/", apply("/", a, target), False
    elif not target[0]:
        yield "*", None, False


def _find(values: tuple[int, ...], target: Number) -> Iterator[Tree]:
    """Trees over `values` (sorted) that make the target; at least one if there is any."""
    if len(values) <= _TABLE_SIZE:
        yield from _table(values).get(target, ())
        return
    for small, large in sorted(_splits(values)):
        for a, a_trees in _table(small).items():
            for operator, b, swap in _partners(a, target):
                if b is None:
                    b_trees: Iterator[Tree] = iter((_sum(large),))
                elif solution(large, b) is None:
                    continue
                else:
                    b_trees = _find(large, b)
                for b_tree in b_trees:
                    for a_tree in a_trees:
                        yield _joined(b_tree, a_tree, operator) if swap else _joined(a_tree, b_tree, operator)


def _sum(values: tuple[int, ...]) -> Tree:
    tree: Tree = values[0]
    for number in values[1:]:
        tree = ("+", tree, number)
    return tree


@lru_cache(maxsize=1 << 18)
def solution(values: tuple[int, ...], target: Number) -> Tree | None:
    """The first solution found, over sorted `values`; cheaper than choosing the plainest."""
    return next(_find(values, target), None)
