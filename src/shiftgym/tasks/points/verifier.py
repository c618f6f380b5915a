"""The points verifier: one outcome an answer, exact, on any text.

Outcomes are tested in the order of `Outcome`'s failures and penalties never add, so there is nothing to gain from a
half-right or a half-legal answer (the paper's rewards, appendix A.3, without its code's partial credit).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from shiftgym.tasks.answer import Form, read_fields
from shiftgym.tasks.points.deck import FACES
from shiftgym.tasks.points.grammar import Formula, IllegalFormula, parse
from shiftgym.tasks.points.rules import Rule
from shiftgym.verdicts import MAX_FEEDBACK, Verdict

Hint = Literal["none", "outcome", "detail"]

FIELD = "formula"
"""The field that makes an object or a block of lines the answer."""


class Outcome(StrEnum):
    """Best first."""

    CORRECT = "correct"
    WRONG_VALUE = "wrong_value"
    WRONG_NUMBERS = "wrong_numbers"
    ILLEGAL = "illegal"
    WRONG_VISION = "wrong_vision"


REWARDS = {
    Outcome.CORRECT: 5.0,
    Outcome.WRONG_VALUE: -1.0,
    Outcome.WRONG_NUMBERS: -2.0,
    Outcome.ILLEGAL: -3.0,
    Outcome.WRONG_VISION: -1.5,
}


@dataclass(frozen=True, slots=True)
class Table:
    """What an answer is judged against: the cards on the table, the rule in force and the target."""

    ranks: tuple[str, ...]
    rule: Rule
    target: int
    vision: bool = False
    """Whether the cards were only to be seen in a picture, so that reading them is judged too."""
    form: Form = "json"
    """How the answer is to be written."""


def read(answer: str, form: Form) -> dict[str, Any]:
    """The fields of the answer in a text; none if there is none in that form."""
    return read_fields(answer, FIELD, form, lists=("cards", "number")) or {}


def judge(answer: str, table: Table, hint: Hint = "outcome") -> Verdict:
    """The verdict on `answer`."""
    outcome, detail = _outcome(read(answer, table.form), table)
    return Verdict(outcome.value, REWARDS[outcome], _feedback(outcome, detail, table, hint), outcome is Outcome.CORRECT)


def _outcome(answer: dict[str, Any], table: Table) -> tuple[Outcome, str]:
    """The outcome and, for the `detail` hint, a sentence that says what went wrong."""
    if table.vision and not recognises(answer, table):
        return Outcome.WRONG_VISION, "The cards that you name are not the cards in the picture."
    text = answer.get(FIELD)
    if not isinstance(text, str):
        return Outcome.ILLEGAL, "There is no formula in your answer, in the form that was asked for."
    try:
        formula = parse(text)
    except IllegalFormula as reason:
        return Outcome.ILLEGAL, f"The formula is not legal: {reason}."
    if sorted(formula.numbers) != sorted(table.rule.values(table.ranks)):
        used = " ".join(map(str, formula.numbers))
        return Outcome.WRONG_NUMBERS, f"The formula uses {used}, which are not the values of the cards, each once."
    value = formula.value()
    if value is None:
        return Outcome.WRONG_VALUE, "The formula divides by zero."
    if value != (table.target, 1):
        shown = str(value[0]) if value[1] == 1 else f"{value[0]}/{value[1]}"
        return Outcome.WRONG_VALUE, f"The formula equals {shown}, not {table.target}."
    if formula.claim not in (None, table.target):
        return Outcome.WRONG_VALUE, f"The right side of the formula is {formula.claim}, not {table.target}."
    return Outcome.CORRECT, ""


def _feedback(outcome: Outcome, detail: str, table: Table, hint: Hint) -> str:
    if outcome is Outcome.CORRECT:
        return "Correct."
    if hint == "none":
        return "That is not right. Try again."
    if hint == "outcome" or len(detail) > MAX_FEEDBACK - 11:
        detail = {
            Outcome.WRONG_VALUE: f"The formula does not equal {table.target}.",
            Outcome.WRONG_NUMBERS: "The formula does not use the value of every card exactly once.",
            Outcome.ILLEGAL: "The formula is missing or not legal.",
            Outcome.WRONG_VISION: "The cards are not the ones in the picture.",
        }[outcome]
    return f"{detail} Try again."


# What an answer shows beyond its verdict.


def read_cards(answer: dict[str, Any]) -> list[str]:
    """The `cards` field as printed symbols; bare digits are card symbols too."""
    cards = answer.get("cards")
    return [str(card).strip() for card in cards] if isinstance(cards, list) else []


def recognises(answer: dict[str, Any], table: Table) -> bool:
    """Whether the answer names the cards on the table, in any order."""
    return Counter(read_cards(answer)) == Counter(table.ranks)


def is_legal(answer: dict[str, Any]) -> bool:
    """Whether the answer holds a formula of the language, whatever its numbers and value."""
    try:
        return isinstance(formula := answer.get(FIELD), str) and isinstance(parse(formula), Formula)
    except IllegalFormula:
        return False


def style(answer: dict[str, Any]) -> str:
    """`worked` if steps stand before the formula, `direct` if there are none, `none` without a formula."""
    if not isinstance(answer.get(FIELD), str):
        return "none"
    return "worked" if answer.get("steps") else "direct"


def translation(answer: dict[str, Any], table: Table, trained: Rule | None) -> tuple[bool, bool | None]:
    """Whether the `number` field translates every card by the rule in force, and whether it perseverates: gives a
    face card its value under the `trained` rule although the rule in force says otherwise (None where no card of the
    hand could show it).
    """
    numbers = answer.get("number")
    cards = read_cards(answer)
    ranks: Sequence[str] = cards if recognises(answer, table) else table.ranks
    pairs = list(zip(ranks, numbers, strict=False)) if isinstance(numbers, list) else []
    translated = len(pairs) == len(table.ranks) == len(numbers or ()) and all(
        number == table.rule.value(rank) for rank, number in pairs
    )
    if trained is None:
        return translated, None
    telling = {rank for rank in table.ranks if rank in FACES and table.rule.value(rank) != trained.value(rank)}
    if not telling:
        return translated, None
    return translated, any(rank in telling and number == trained.value(rank) for rank, number in pairs)
