"""The corpora of the navigation backbones: somebody who knows both ways to give directions, and makes mistakes.

Right answers and feedback are the task's own. What stands here is what the backbone has seen, and it is disclosed in
its model card: training routes only, of all cities and under all rules, the relative one included, as a language model
knows what left and right are. Mistakes are those of skills that the rules share, never a word of another action space.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from shiftgym.backbones.corpus import Corpus
from shiftgym.episodes import TRY_AGAIN
from shiftgym.messages import Messages, assistant, user
from shiftgym.seeds import rng
from shiftgym.tasks.navigation.directions import COMPASS, RELATIVE
from shiftgym.tasks.navigation.prompts import answer
from shiftgym.tasks.navigation.route import Move, Stop
from shiftgym.tasks.navigation.rules import SPACES, Space
from shiftgym.tasks.navigation.task import NavigationOptions, NavigationSetting, NavigationTask, RouteDecision
from shiftgym.tasks.navigation.world.cities import MAKERS
from shiftgym.tasks.navigation.world.city import KINDS, NAMES
from shiftgym.tasks.walk import decisions


@dataclass(frozen=True)
class Habits:
    """How the corpus is written. All are probabilities."""

    rules: tuple[tuple[str, float], ...] = (("absolute", 0.4), ("relative", 0.4), ("bearing", 0.1), ("angle", 0.1))
    """Share of each rule."""
    wrong_move: float = 0.05
    """An attempt goes on, turns or stops where something else is right."""
    wrong_way: float = 0.08
    """A turn goes to another street than the instruction says."""
    misreports: float = 0.05
    """An attempt reports an intersection where there is none, or none where there is one."""
    malformed: float = 0.02
    """The action has a typing error."""
    single_attempt: float = 0.6
    """The conversation ends after one attempt, right or wrong; otherwise it goes on, two attempts at most."""
    no_feedback: float = 0.1
    """The conversation is told only to try again."""
    cities: tuple[tuple[str, float], ...] = tuple((city, 1 / len(MAKERS)) for city in MAKERS)
    """Share of each city."""
    shown: bool = False
    """What is seen is shown in pictures instead of said."""


HABITS = Habits()
CARELESS = replace(HABITS, wrong_move=0.15, wrong_way=0.25, misreports=0.1, malformed=0.04)

SIZE = 192
"""Pixels of a picture's side."""
ATTEMPTS = 2
_SPLITS = {
    f"{rule} {city}": NavigationSetting(rule=rule, city=city, routes="train", legs=(2, 6))
    for rule in SPACES
    for city in MAKERS
}


def conversations(seed: int, chunk: int, count: int, habits: Habits) -> Iterator[list[Messages]]:
    """Of `count` routes of chunk number `chunk`, the conversations: one a decision."""
    stream = rng(seed, "corpus", "navigation", chunk)
    options = NavigationOptions(modality="vision" if habits.shown else "text", size=SIZE)
    task = NavigationTask(options, _SPLITS, seed, train=None)
    rules, cities = (tuple(zip(*weighted, strict=True)) for weighted in (habits.rules, habits.cities))
    for number in range(count):
        split = f"{stream.choices(*rules)[0]} {stream.choices(*cities)[0]}"
        route = task.problem(split, (chunk + 1) * 10**6 + number)
        yield [_conversation(stream, habits, cast(RouteDecision, each)) for each in decisions(task, route)]


def _conversation(stream: random.Random, habits: Habits, decision: RouteDecision) -> Messages:
    messages = list(decision.prompt)
    feedback = stream.random() >= habits.no_feedback
    for _ in range(1 if stream.random() < habits.single_attempt else ATTEMPTS):
        text = _attempt(stream, habits, decision.stop, SPACES[decision.problem.rule])
        verdict = decision.judge(text)
        messages += [assistant(text), user(verdict.feedback if feedback else TRY_AGAIN)]
        if verdict.correct:
            break
    return messages[:-1]


def _attempt(stream: random.Random, habits: Habits, stop: Stop, space: Space) -> str:
    """One answer: what is done, where to, what is reported, and how it is written down; its steps fit the action."""
    moves: list[Move] = ["turn", "forward", "stop"]
    wrong = stream.random() < habits.wrong_move
    move: Move = stream.choice([each for each in moves if each != stop.expected]) if wrong else stop.expected
    way = stop.next_heading
    if move == "turn" and (move != stop.expected or stream.random() < habits.wrong_way):
        way = stop.heading + stream.choice([-135, -90, -45, 45, 90, 135])
    crossing = stop.intersection != (stream.random() < habits.misreports)
    text = answer(replace(stop, expected=move, next_heading=way % 360, intersection=crossing), space, steps=True)
    return _slip(stream, text) if stream.random() < habits.malformed else text


def _slip(stream: random.Random, text: str) -> str:
    """A typing error in the action: a bracket too few, an end too early, or twice the same."""
    start = text.index('"action": "') + len('"action": "')
    body = text[start:-2]
    at = stream.randrange(1, len(body))
    body = stream.choice([body[:at], body.replace(")", ""), f"{body}, {body}"])
    return text[:start] + body + text[-2:]


def _words() -> list[str]:
    """What must be a token of its own: directions and the words that names of landmarks consist of."""
    kinds = {word for kind in KINDS for word in kind.replace("{}", "").split()}
    words = {*COMPASS, *" ".join(RELATIVE).split(), "front", "behind", *NAMES, *kinds}
    return sorted(words, key=lambda word: (-len(word), word))


CORPUS = Corpus(HABITS, CARELESS, conversations, rf"[0-9]+|\b(?:{'|'.join(_words())})\b", numbers=16)
CITIES = tuple((city, 0.5 if city == "new_york" else 0.5 / (len(MAKERS) - 1)) for city in MAKERS)
"""Half of what is seen is New York, so that other cities are known less well, though not unknown."""
SEEN = replace(
    CORPUS,
    habits=replace(HABITS, cities=CITIES, shown=True),
    careless=replace(CARELESS, cities=CITIES, shown=True),
)
"""The same with pictures of what is seen."""
