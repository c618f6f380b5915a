"""What the policy is told, in our own words, and what an expert answers."""

import json
from collections.abc import Sequence

from shiftgym.messages import Messages, Picture, user
from shiftgym.tasks.answer import Form, write_fields
from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.solver import Tree, formula, value

_REPLY: dict[Form, str] = {
    "json": "a JSON object that holds the cards, the number each of them counts as, your steps if you like, and the "
    'formula: {"cards": [...], "number": [...], "steps": "...", "formula": "..."}',
    "lines": "one line each for the cards, the number each of them counts as, your steps if you like, and the formula:"
    "\ncards: ...\nnumber: ...\nsteps: ...\nformula: ...",
}


def prompt(
    ranks: Sequence[str],
    rule: Rule,
    target: int,
    picture: Picture | None = None,
    form: Form = "json",
    *,
    reworded: bool = False,
) -> Messages:
    """The whole task as one user message; the rule is one sentence of it.

    Args:
        picture: shows the cards, which then are not named.
        reworded: the rule is said the other way round.
    """
    cards = "the cards in the picture" if picture is not None else f"the cards {json.dumps(list(ranks))}"
    return [
        user(
            f"Make {target} from {cards}.\n"
            f"{rule.reworded if reworded else rule.sentence} An ace counts as one, a number card as its number.\n"
            "Use the value of every card exactly once, with plus, minus, times, divided by and brackets. Reply with "
            f"{_REPLY[form]}",
            *([] if picture is None else [picture]),
        )
    ]


def answer(ranks: Sequence[str], numbers: Sequence[int], tree: Tree, steps: bool, form: Form = "json") -> str:
    """The answer for a solution. `number` is given as it is, so that a corpus can hold misreadings."""
    fields = {
        "cards": list(ranks),
        "number": list(numbers),
        **({"steps": worked_steps(numbers, tree)} if steps else {}),
        "formula": formula(tree),
    }
    return write_fields(fields, form)


def worked_steps(numbers: Sequence[int], tree: Tree) -> str:
    """The solution one operation at a time, each with the numbers that are left: `8*3=24 left 10 8 24; ...`."""
    left = [str(number) for number in numbers]
    steps: list[str] = []

    def work(node: Tree) -> str:
        if isinstance(node, int):
            return str(node)
        operator, first, second = node
        a, b = work(first), work(second)
        n, d = value(node)
        result = str(n) if d == 1 else f"{n}/{d}"
        left.remove(a)
        left.remove(b)
        left.append(result)
        a, b = (part if part.isdigit() else f"({part})" for part in (a, b))
        rest = f" left {' '.join(left)}" if len(left) > 1 else ""
        steps.append(f"{a}{operator}{b}={result}{rest}")
        return result

    work(tree)
    return "; ".join(steps)
