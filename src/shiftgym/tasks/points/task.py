"""GeneralPoints (paper, section 4.1 and appendix A): make the target from the values of the cards."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shiftgym.errors import ConfigError
from shiftgym.messages import Messages
from shiftgym.seeds import rng
from shiftgym.tasks.answer import Form
from shiftgym.tasks.base import Diagnosis
from shiftgym.tasks.points import prompts, verifier
from shiftgym.tasks.points.deck import FACES, RANKS, Card, Hands, Look, deal, kind_of_hand
from shiftgym.tasks.points.picture import HandPicture
from shiftgym.tasks.points.rules import Rule, draw_rule, fixed_rule
from shiftgym.tasks.points.solver import solutions, solvable
from shiftgym.tasks.points.verify_line import PointsRequest
from shiftgym.verdicts import Verdict

MAX_DEALS = 20_000
"""Deals that are tried for one problem before the setting is called impossible."""


class PointsOptions(BaseModel):
    """Settings of the whole task."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    limit: int = Field(5, ge=1)
    """Attempts a hand."""
    hint: verifier.Hint = "outcome"
    """What feedback says after a failed attempt: only that it failed, the outcome, or the detail."""
    expert: Literal["worked", "direct"] = "worked"
    """Whether expert answers show their steps before the formula."""
    form: Form = "json"
    """How answers are to be written: as a JSON object, or as one line a field. Shipped backbones have only seen
    JSON."""
    modality: Literal["text", "vision"] = "text"
    """Whether the prompt names the cards or shows a picture of them."""
    size: int = Field(128, ge=96, le=2048)
    """Pixels of a picture's side."""


class PointsSetting(BaseModel):
    """Settings of one split: the rule, and which hands are dealt."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    rule: str = "faces_as_ten"
    """What J, Q and K count as; see `tasks/points/rules.py`."""
    hands: Hands = "train"
    """Deal only training hands, only test hands, or all. No hand is both."""
    faces: bool = False
    """Deal only hands with at least one face card, as every split under a shifted rule should."""
    target: int = Field(24, ge=1, le=1000)
    """The number to make."""
    cards: int = Field(4, ge=3, le=6)
    """Cards a hand."""
    look: Look = "mixed"
    """The deck: black or red suits, or all four (mixed); in pictures, modern, handwritten and faint are all four suits
    in another design."""
    reworded: bool = False
    """The rule is worded in the reverse order."""
    expert: Literal["worked", "direct"] | None = None
    """Style of expert answers on this split, if it is not that of the task."""
    nuisance: float = Field(0.0, ge=0, le=1)
    """How far pictures differ from the plain layout, in position, rotation, size, font, light and noise; 0: not at
    all."""

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        try:
            fixed_rule(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return name

    def deals(self, ranks: tuple[str, ...]) -> bool:
        """Whether a hand of these ranks belongs to the split."""
        if self.hands not in ("all", kind_of_hand(ranks)):
            return False
        return not self.faces or any(rank in FACES for rank in ranks)


@dataclass(frozen=True, slots=True)
class Hand:
    """One problem: the cards on the table, the rule in force, the target, and in vision what is shown."""

    split: str
    index: int
    cards: tuple[Card, ...]
    rule: Rule
    target: int
    picture: HandPicture | None = None
    reworded: bool = False
    """The rule is worded in the reverse order."""

    @property
    def ranks(self) -> tuple[str, ...]:
        return tuple([card.rank for card in self.cards])


@dataclass(frozen=True, slots=True)
class HandDecision:
    """The one decision of a hand."""

    problem: Hand
    hint: verifier.Hint
    form: Form = "json"

    @property
    def table(self) -> verifier.Table:
        hand = self.problem
        return verifier.Table(hand.ranks, hand.rule, hand.target, hand.picture is not None, self.form)

    @property
    def prompt(self) -> Messages:
        hand = self.problem
        return prompts.prompt(hand.ranks, hand.rule, hand.target, hand.picture, self.form, reworded=hand.reworded)

    def judge(self, answer: str) -> Verdict:
        return verifier.judge(answer, self.table, self.hint)

    def next(self) -> None:
        return None


class PointsTask:
    """GeneralPoints, in text (the paper's GP-L) or in pictures (GP-VL).

    Args:
        options: settings of the whole task.
        splits: settings of each split, by name.
        seed: the data seed; it alone decides which problem has which index.
        train: the split that is trained on. Perseveration is measured against its rule, and not at all if it is None
            or not among the splits.
    """

    name: ClassVar[str] = "points"
    Options: ClassVar[type[BaseModel]] = PointsOptions
    Setting: ClassVar[type[BaseModel]] = PointsSetting
    outcomes: ClassVar[tuple[str, ...]] = tuple(outcome.value for outcome in verifier.Outcome)
    VerifyRequest: ClassVar[type[PointsRequest]] = PointsRequest
    field: ClassVar[str] = verifier.FIELD

    def __init__(
        self, options: PointsOptions, splits: Mapping[str, PointsSetting], seed: int, train: str | None
    ) -> None:
        self.options = options
        self.splits: Mapping[str, Any] = dict(splits)
        self.seed = seed
        self.limit = options.limit
        self.form = options.form
        self.trained_rule = fixed_rule(self.splits[train].rule) if train in self.splits else None

    def problem(self, split: str, index: int) -> Hand:
        """Problem `index` of `split`: dealt until the hand belongs to the split and can be solved.

        Raises:
            ConfigError: no such hand came up in `MAX_DEALS` deals.
        """
        setting = self.splits[split]
        stream = rng(self.seed, self.name, split, index)
        for _ in range(MAX_DEALS):
            cards = deal(stream, setting.cards, setting.look)
            ranks = tuple([card.rank for card in cards])
            if not setting.deals(ranks):
                continue
            rule = draw_rule(setting.rule, stream)
            if solvable(rule.values(ranks), setting.target):
                picture = self._picture(split, index, cards)
                return Hand(split, index, cards, rule, setting.target, picture, setting.reworded)
        raise ConfigError(f"splits.{split}: no solvable hand in {MAX_DEALS} deals; try another target or more cards")

    def _picture(self, split: str, index: int, cards: tuple[Card, ...]) -> HandPicture | None:
        """The picture of a hand; none in text. Its random details have a stream of their own, so a hand is the same in
        text and in vision."""
        if self.options.modality == "text":
            return None
        setting: PointsSetting = self.splits[split]
        details = rng(self.seed, self.name, split, index, "picture").getrandbits(32)
        return HandPicture.of(cards, setting.look, setting.nuisance, self.options.size, details)

    def perturbed(self, problem: Hand) -> dict[str, Hand]:
        """The cards in another order (unless all are alike), one card exchanged for another so that the hand belongs to
        the split and can be solved as before, and the rule in other words.

        Raises:
            ConfigError: no exchange of one card leaves such a hand.
        """
        stream = rng(self.seed, self.name, problem.split, problem.index, "perturbed")
        other = list(problem.cards)
        while len(set(problem.ranks)) > 1 and tuple([card.rank for card in other]) == problem.ranks:
            stream.shuffle(other)
        near = [
            (*problem.cards[:index], card, *problem.cards[index + 1 :])
            for index, old in enumerate(problem.cards)
            for rank in RANKS
            if (card := Card(rank, old.suit)) not in problem.cards
        ]
        ranks = [tuple([card.rank for card in hand]) for hand in near]
        setting, values = self.splits[problem.split], problem.rule.values
        near = [
            hand
            for hand, of in zip(near, ranks, strict=True)
            if setting.deals(of) and solvable(values(of), problem.target)
        ]
        if not near:
            raise ConfigError(f"splits.{problem.split}: hand {problem.index} has no neighbour that can be solved")
        return {
            "reordered": self._dealt(problem, tuple(other)),
            "one card exchanged": self._dealt(problem, stream.choice(near)),
            "reworded": replace(problem, reworded=not problem.reworded),
        }

    def _dealt(self, problem: Hand, cards: tuple[Card, ...]) -> Hand:
        return replace(problem, cards=cards, picture=self._picture(problem.split, problem.index, cards))

    def start(self, problem: Hand) -> HandDecision:
        return HandDecision(problem, self.options.hint, self.form)

    def expert(self, decision: HandDecision) -> str:
        """One of the plainest solutions of the hand, always the same for the same problem."""
        hand = decision.problem
        numbers = hand.rule.values(hand.ranks)
        trees = solutions(tuple(sorted(numbers)), hand.target)
        tree = rng(self.seed, self.name, "expert", hand.split, hand.index).choice(trees)
        style = self.splits[hand.split].expert or self.options.expert
        return prompts.answer(hand.ranks, numbers, tree, style == "worked", self.form)

    def diagnose(self, decision: HandDecision, answer: str) -> Diagnosis:
        found = verifier.read(answer, self.form)
        translated, perseverated = verifier.translation(found, decision.table, self.trained_rule)
        recognised = verifier.recognises(found, decision.table) if decision.table.vision else None
        return Diagnosis(verifier.is_legal(found), verifier.style(found), translated, perseverated, recognised)
