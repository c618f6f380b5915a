"""The corpora of the points backbones: conversations of somebody who knows the game, has a habit and makes mistakes.

The verifier itself writes the feedback. What stands here is what the backbone has seen, and it is disclosed in its
model card: the rule that the default study shifts to (J, Q, K = 11, 12, 13) never stands in the corpus, and hands
under the training rule (all 10) come from the training hands only.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from shiftgym.backbones.corpus import Corpus
from shiftgym.episodes import TRY_AGAIN
from shiftgym.messages import Messages, assistant, user
from shiftgym.seeds import rng
from shiftgym.tasks.points.deck import FACES, Card, Look, deal, kind_of_hand
from shiftgym.tasks.points.picture import HandPicture
from shiftgym.tasks.points.prompts import answer, prompt
from shiftgym.tasks.points.rules import IN_ORDER, Rule, draw_rule
from shiftgym.tasks.points.solver import Tree, apply, solutions, solvable, value
from shiftgym.tasks.points.verifier import Table, judge


@dataclass(frozen=True)
class Habits:
    """How the corpus is written. All are probabilities unless said otherwise."""

    rules: tuple[tuple[str, float], ...] = (
        ("faces_as_ten", 0.12),
        ("shuffled", 0.25),
        ("run", 0.13),
        ("equal", 0.20),
        ("random", 0.30),
    )
    """Share of each rule: the training rule, permutations of 11 12 13, three values in a row, all the same, any."""
    target_24: float = 0.7
    """The target is 24; otherwise it is whatever a random expression over the cards comes to."""
    reads_faces_as_ten: float = 0.30
    """The reading habit: face cards are read as 10 whatever the rule says."""
    habit_after_feedback: float = 0.075
    """The same once the verifier has said that the numbers are wrong."""
    misreads: float = 0.05
    """One number card of an attempt is read wrongly. Never a face card: the habit alone decides how those are read, so
    that practice under the training rule, where the habit is right, has nothing to gain from strengthening it."""
    solves: float = 0.8
    """An attempt works out one of the canonical solutions; otherwise it works honestly towards another value."""
    malformed: float = 0.03
    """The formula has a typing error."""
    single_attempt: float = 0.5
    """The conversation ends after one attempt, right or wrong; otherwise it goes on, five attempts at most."""
    no_feedback: float = 0.1
    """The conversation is told only to try again."""
    looks: tuple[tuple[Look, float], ...] = ()
    """Share of each look of the cards, which are then shown instead of named; without any, they are named."""
    most_nuisance: float = 0.5
    """Pictures stray from the plain layout by anything from none to this."""


HABITS = Habits()
"""Most of pretraining: somebody who mostly gets it right, from whom solving is learned."""

CARELESS = replace(HABITS, solves=0.45, malformed=0.05)
"""The end of pretraining, with more mistakes. What was learned stays (the most likely answer is still a good one), but
a sampled answer is often wrong, as those of a language model before post-training are."""

LOOKS: tuple[tuple[Look, float], ...] = (("black", 1.0),)
"""Red suits and other designs than the classic one are never seen: a shift of look is one for the backbone too."""
SIZE = 128
"""Pixels of a picture's side."""

ATTEMPTS = 5
TARGET = 24
_MAX_TARGET = 100


def conversations(seed: int, chunk: int, count: int, habits: Habits) -> Iterator[list[Messages]]:
    """`count` conversations of chunk number `chunk`, each about a hand of its own."""
    stream = rng(seed, "corpus", "points", chunk)
    for _ in range(count):
        yield [_conversation(stream, habits)]


def _conversation(stream: random.Random, habits: Habits) -> Messages:
    cards, rule, target, picture = _hand(stream, habits)
    ranks = tuple(card.rank for card in cards)
    table = Table(ranks, rule, target, vision=picture is not None)
    messages = prompt(ranks, rule, target, picture)
    attempts = 1 if stream.random() < habits.single_attempt else ATTEMPTS
    feedback = stream.random() >= habits.no_feedback
    habit = stream.random() < habits.reads_faces_as_ten
    for _ in range(attempts):
        text = _attempt(stream, habits, ranks, rule, target, habit)
        verdict = judge(text, table)
        messages += [assistant(text), user(verdict.feedback if feedback else TRY_AGAIN)]
        if verdict.correct:
            break
        if verdict.outcome == "wrong_numbers":
            habit = stream.random() < (habits.habit_after_feedback if feedback else habits.reads_faces_as_ten)
    return messages[:-1]


def _hand(stream: random.Random, habits: Habits) -> tuple[tuple[Card, ...], Rule, int, HandPicture | None]:
    look: Look = "mixed"
    if habits.looks:
        names, weights = zip(*habits.looks, strict=True)
        (look,) = stream.choices(names, weights)
    while True:
        rule = _rule(stream, habits)
        cards = deal(stream, 4, look)
        ranks = tuple(card.rank for card in cards)
        if rule == draw_rule("faces_as_ten", stream) and kind_of_hand(ranks) == "test":
            continue
        numbers = rule.values(ranks)
        target = TARGET
        if stream.random() < habits.target_24:
            if not solvable(numbers, TARGET):
                continue
        else:
            target, d = value(_random_tree(stream, numbers))
            if d != 1 or not 1 <= target <= _MAX_TARGET:
                continue
        return cards, rule, target, _picture(stream, habits, cards, look) if habits.looks else None


def _picture(stream: random.Random, habits: Habits, cards: tuple[Card, ...], look: Look) -> HandPicture:
    return HandPicture.of(cards, look, stream.uniform(0, habits.most_nuisance), SIZE, stream.getrandbits(32))


def _rule(stream: random.Random, habits: Habits) -> Rule:
    names, weights = zip(*habits.rules, strict=True)
    while True:
        name = stream.choices(names, weights)[0]
        if name == "run":
            low = stream.randint(1, 11)
            rule = Rule(low, low + 1, low + 2)
        elif name == "equal":
            rule = Rule(*[stream.randint(1, 13)] * 3)
        else:
            rule = draw_rule(name, stream)
        if rule != IN_ORDER:
            return rule


def _attempt(
    stream: random.Random, habits: Habits, ranks: tuple[str, ...], rule: Rule, target: int, habit: bool
) -> str:
    """One answer: how the cards are read, what is worked out from that, and how it is written down."""
    numbers = [10 if habit and rank in FACES else rule.value(rank) for rank in ranks]
    plain = [i for i, rank in enumerate(ranks) if rank not in FACES]
    if plain and stream.random() < habits.misreads:
        numbers[stream.choice(plain)] = stream.randint(1, 13)
    trees = solutions(tuple(sorted(numbers)), target) if stream.random() < habits.solves else ()
    tree = stream.choice(trees) if trees else _random_tree(stream, numbers)
    text = answer(ranks, numbers, tree, steps=True)
    return _slip(stream, text) if stream.random() < habits.malformed else text


def _random_tree(stream: random.Random, numbers: list[int] | tuple[int, ...]) -> Tree:
    """A random expression over the numbers whose every step is a whole, non-negative number."""
    parts: list[Tree] = list(numbers)
    stream.shuffle(parts)
    while len(parts) > 1:
        a, b = parts.pop(), parts.pop()
        if value(a) < value(b):
            a, b = b, a
        operators = [o for o in "+-*/" if (v := apply(o, value(a), value(b))) and v[1] == 1 and v[0] <= _MAX_TARGET]
        parts.append((stream.choice(operators or ["-"]), a, b))
        stream.shuffle(parts)
    return parts[0]


def _slip(stream: random.Random, text: str) -> str:
    """A typing error in the formula: a sign too many, a bracket too few or an end too early."""
    start = text.index('"formula": "') + len('"formula": "')
    body = text[start:-2]
    at = stream.randrange(1, len(body)) if len(body) > 1 else 1
    body = stream.choice([body[:at], body[:at] + stream.choice("+-*/(") + body[at:], body.replace(")", "", 1) + "+"])
    return text[:start] + body + text[-2:]


CORPUS = Corpus(HABITS, CARELESS, conversations, r"[0-9]+|[-+*/()=]|\b[AJQK]\b", numbers=200)
SEEN = replace(CORPUS, habits=replace(HABITS, looks=LOOKS), careless=replace(CARELESS, looks=LOOKS))
"""The same with the cards in pictures."""
