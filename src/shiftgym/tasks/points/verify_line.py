"""Judging one hand of points, or asking whether it can be solved, from outside (`tasks/verify.py`)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from shiftgym.tasks.base import VerifyRequest
from shiftgym.tasks.points.deck import RANKS
from shiftgym.tasks.points.rules import fixed_rule
from shiftgym.tasks.points.solver import formula, solution
from shiftgym.tasks.points.verifier import Table, judge


def _printed(symbol: str) -> str:
    if symbol not in RANKS:
        raise ValueError(f"{symbol!r} is no card; cards are {', '.join(RANKS)}")
    return symbol


class PointsRequest(VerifyRequest):
    """One line about a hand of points."""

    task: Literal["points"]
    modality: Literal["text", "vision"] = "text"
    rule: str
    target: int = Field(ge=1)
    cards: list[Annotated[str, AfterValidator(_printed)]] = Field(min_length=3, max_length=6)
    """Printed symbols."""
    answer: str | None = None
    """What the policy wrote; without it, the question is whether the hand can be solved."""

    def result(self) -> dict[str, Any]:
        """Outcome, reward and feedback, or whether the hand can be solved and how; errors as in `VerifyRequest`."""
        rule = fixed_rule(self.rule)
        if rule is None:
            raise ValueError(f"rule: {self.rule!r} is drawn for each problem; name the rule that was drawn")
        ranks = tuple(self.cards)
        if self.answer is None:
            if "answer" in self.model_fields_set:
                raise ValueError("answer: must be text, not null")
            tree = solution(tuple(sorted(rule.values(ranks))), (self.target, 1))
            return {"solvable": tree is not None, "solution": None if tree is None else formula(tree)}
        return self.judged(judge(self.answer, Table(ranks, rule, self.target, vision=self.modality == "vision")))
