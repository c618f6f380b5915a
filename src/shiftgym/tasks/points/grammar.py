"""The formula language: ASCII integers without leading zeros, binary + - * /, brackets, blanks between tokens, and
optionally one `=` with an integer on its right. The glyphs that models write for operators and blanks are read as
these; every other character outside ASCII is illegal. It is read and calculated here, exactly; nothing is ever
evaluated as code.
"""

import re
from dataclasses import dataclass

from shiftgym.tasks.points.solver import Number, apply

MAX_LENGTH = 400
"""A longer formula is illegal: six cards never need it, and reading it must take bounded time."""

_GLYPHS = str.maketrans("×·∙⋅∗÷∕⁄−–\u00a0\u2009\u202f", "*****///--   ")
"""Signs of multiplication, division and subtraction, and three blanks, as models write them."""

_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}
_TOKEN = re.compile(r"[0-9]+|[-+*/()=]|[ \t]+|.", re.DOTALL)


class IllegalFormula(Exception):
    """The text is not in the formula language; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A legal formula."""

    numbers: tuple[int, ...]
    """The numbers of the left side, in order."""
    postfix: tuple[int | str, ...]
    """The left side in postfix order."""
    claim: int | None
    """The number after `=`, if there is one."""

    def value(self) -> Number | None:
        """The exact value of the left side, or None if it divides by zero."""
        stack: list[Number] = []
        for item in self.postfix:
            if isinstance(item, int):
                stack.append((item, 1))
                continue
            right, left = stack.pop(), stack.pop()
            result = apply(item, left, right)
            if result is None:
                return None
            stack.append(result)
        return stack[0]


def parse(text: str) -> Formula:
    """Read a formula (operator precedence by two stacks, so nesting needs no recursion).

    Raises:
        IllegalFormula: the text is not in the language.
    """
    if len(text) > MAX_LENGTH:
        raise IllegalFormula("it is too long")
    left, equals, right = text.translate(_GLYPHS).partition("=")
    postfix: list[int | str] = []
    operators: list[str] = []
    wants_number = True
    for token in _TOKEN.findall(left):
        if token[0] in " \t":
            continue
        if token[0] in "0123456789":
            if not wants_number:
                raise IllegalFormula("two numbers stand side by side")
            postfix.append(_integer(token))
            wants_number = False
        elif token == "(":
            if not wants_number:
                raise IllegalFormula("an operator is missing before a bracket")
            operators.append(token)
        elif token == ")":
            if wants_number:
                raise IllegalFormula("a number is missing before a closing bracket")
            while operators and operators[-1] != "(":
                postfix.append(operators.pop())
            if not operators:
                raise IllegalFormula("a bracket is closed that was never opened")
            operators.pop()
        elif token in _BINDING:
            if wants_number:
                raise IllegalFormula("an operator has no number before it")
            while operators and operators[-1] != "(" and _BINDING[operators[-1]] >= _BINDING[token]:
                postfix.append(operators.pop())
            operators.append(token)
            wants_number = True
        else:
            raise IllegalFormula("it may only hold whole numbers, + - * / and round brackets")
    if wants_number:
        raise IllegalFormula("it ends too early")
    if "(" in operators:
        raise IllegalFormula("a bracket is not closed")
    postfix.extend(reversed(operators))
    claim = _claim(right) if equals else None
    return Formula(tuple([item for item in postfix if isinstance(item, int)]), tuple(postfix), claim)


def _claim(text: str) -> int:
    stripped = text.strip(" \t")
    if not re.fullmatch(r"[0-9]+", stripped):
        raise IllegalFormula("the right side of = must be one whole number")
    return _integer(stripped)


def _integer(digits: str) -> int:
    if len(digits) > 1 and digits[0] == "0":
        raise IllegalFormula("a number has leading zeros")
    return int(digits)
