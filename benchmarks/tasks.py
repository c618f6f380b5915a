"""Dealing and judging of points against a plain reference with `fractions` and `itertools`; routes of navigation.

    OMP_NUM_THREADS=1 python benchmarks/tasks.py [--hands 20000] [--plain 100] [--routes 3000]

The reference is what one would write in an afternoon: shuffle, try every order of the numbers with every three
operators in every bracketing, and deal again if nothing makes the target; judge by reading the JSON and calculating
the formula in fractions. Both sides deal the same kind of hand (solvable, four cards, any hand) and judge a right and
a wrong answer to each; they must agree. Navigation has no reference: routes made once the city is there, and right and
wrong answers judged. Seconds are those of the processor.
"""

import argparse
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import permutations, product
from operator import add, mul, sub, truediv
from typing import Any

from shiftgym.tasks.navigation.task import NavigationTask
from shiftgym.tasks.points.solver import solvable
from shiftgym.tasks.points.task import PointsTask
from shiftgym.tasks.walk import decisions

DECK = [rank for rank in ("A", *map(str, range(2, 11)), "J", "Q", "K") for _ in range(4)]
OPERATORS = {"+": add, "-": sub, "*": mul, "/": truediv}
SHAPES: dict[str, Callable[..., Fraction]] = {
    "(({a}{f}{b}){g}{c}){h}{d}": lambda f, g, h, a, b, c, d: h(g(f(a, b), c), d),
    "({a}{f}({b}{g}{c})){h}{d}": lambda f, g, h, a, b, c, d: h(f(a, g(b, c)), d),
    "({a}{f}{b}){g}({c}{h}{d})": lambda f, g, h, a, b, c, d: g(f(a, b), h(c, d)),
    "{a}{f}(({b}{g}{c}){h}{d})": lambda f, g, h, a, b, c, d: f(a, h(g(b, c), d)),
    "{a}{f}({b}{g}({c}{h}{d}))": lambda f, g, h, a, b, c, d: f(a, g(b, h(c, d))),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hands", type=int, default=20_000)
    parser.add_argument("--plain", type=int, default=100, help="hands for the reference")
    parser.add_argument("--routes", type=int, default=3000)
    options = parser.parse_args()

    plain_hands, plain_deal = timed(lambda: list(plain_deals(options.plain)), options.plain)
    answers = [(text, numbers) for numbers, formula in plain_hands for text in answers_to(numbers, formula)]
    plain_verdicts, plain_judge = timed(lambda: [plain_judgement(*answer) for answer in answers], len(answers))

    task = PointsTask(PointsTask.Options(), {"train": PointsTask.Setting(hands="all")}, seed=0, train="train")
    hands, deal = timed(lambda: [task.problem("train", index) for index in range(options.hands)], options.hands)
    given = []
    for hand in hands:
        decision = task.start(hand)
        numbers = hand.rule.values(hand.ranks)
        formula = json.loads(task.expert(decision))["formula"]
        given += [(text, decision, numbers) for text in answers_to(numbers, formula)]
    verdicts, judge = timed(lambda: [decision.judge(text) for text, decision, _ in given], len(given))

    assert all(solvable(numbers, 24) for numbers, _ in plain_hands)
    assert plain_verdicts == [correct for numbers, _ in plain_hands for correct in (True, sum(numbers) == 24)]
    assert all(
        verdict.correct == plain_judgement(text, numbers)
        for verdict, (text, _, numbers) in zip(verdicts, given, strict=True)
    )

    ratio = (1 / plain_deal + 1 / plain_judge) / (1 / deal + 1 / judge)
    print(f"{'dealing':<22}{deal:>12,.0f} hands/s     plain {plain_deal:>10,.0f}    ratio {deal / plain_deal:,.0f}")
    print(f"{'judging':<22}{judge:>12,.0f} answers/s   plain {plain_judge:>10,.0f}    ratio {judge / plain_judge:,.1f}")
    print(f"{'dealing and judging':<22}ratio {ratio:,.0f} (promised: 100; 20,000 hands/s; 30,000 answers/s)")
    routes, steps = navigation(options.routes)
    return 0 if ratio >= 100 and deal >= 20_000 and min(judge, steps) >= 30_000 and routes >= 1000 else 1


def navigation(count: int) -> tuple[float, float]:
    """Routes made and answers judged, a second."""
    task = NavigationTask(NavigationTask.Options(), {"train": NavigationTask.Setting()}, seed=0, train="train")
    task.problem("train", 0)
    found, routes = timed(lambda: [task.problem("train", index) for index in range(count)], count)
    stops = sum(len(route.stops) for route in found)
    walk, starts = timed(lambda: [step for route in found for step in decisions(task, route)], stops)
    given = [(step, task.expert(step)) for step in walk]
    given += [(step, text.replace("()", "( north )").replace("intersection", "cafe")) for step, text in given]
    verdicts, judge = timed(lambda: [step.judge(text) for step, text in given], len(given))
    assert all(verdict.correct for verdict in verdicts[: len(walk)])
    characters = sum(len(step.prompt[0]["content"]) for step in walk) / len(walk)
    print(f"{'routes':<22}{routes:>12,.0f} routes/s    {stops / count:.1f} decisions each (promised: 1,000 routes/s)")
    print(f"{'walking them':<22}{starts:>12,.0f} prompts/s   {characters:,.0f} characters each")
    print(f"{'judging steps':<22}{judge:>12,.0f} answers/s   (promised: 30,000)")
    return routes, judge


def answers_to(numbers: tuple[int, ...], formula: str) -> tuple[str, str]:
    """A right answer, and one that is wrong unless the sum happens to be right."""
    return json.dumps({"formula": formula}), json.dumps({"formula": "+".join(map(str, numbers))})


def timed(work: Callable[[], list[Any]], count: int) -> tuple[list[Any], float]:
    """What `work` returns, and how many of `count` it does a second."""
    started = time.process_time()
    result = work()
    return result, count / (time.process_time() - started)


def plain_deals(count: int) -> Iterator[tuple[tuple[int, ...], str]]:
    rng = random.Random(0)
    while count:
        ranks = rng.sample(DECK, 4)
        numbers = tuple({"A": 1, "J": 10, "Q": 10, "K": 10}.get(rank) or int(rank) for rank in ranks)
        if formula := plain_formula(numbers):
            count -= 1
            yield numbers, formula


def plain_formula(numbers: tuple[int, ...], target: int = 24) -> str | None:
    for four in permutations(map(Fraction, numbers)):
        for (p, f), (q, g), (r, h) in product(OPERATORS.items(), repeat=3):
            for text, value in SHAPES.items():
                try:
                    if value(f, g, h, *four) == target:
                        return text.format(f=p, g=q, h=r, **dict(zip("abcd", four, strict=True)))
                except ZeroDivisionError:
                    continue
    return None


def plain_judgement(answer: str, numbers: tuple[int, ...], target: int = 24) -> bool:
    tokens = re.findall(r"\d+|[-+*/()]", json.loads(answer)["formula"])
    if sorted(int(token) for token in tokens if token.isdigit()) != sorted(numbers):
        return False
    tokens.reverse()

    def chain(signs: str, part: Callable[[], Fraction]) -> Fraction:
        value = part()
        while tokens and tokens[-1] in signs:
            value = OPERATORS[tokens.pop()](value, part())
        return value

    def factor() -> Fraction:
        token = tokens.pop()
        if token != "(":
            return Fraction(int(token))
        value = total()
        tokens.pop()
        return value

    def total() -> Fraction:
        return chain("+-", lambda: chain("*/", factor))

    return total() == target


if __name__ == "__main__":
    sys.exit(main())
