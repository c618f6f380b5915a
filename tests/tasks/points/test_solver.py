"""The solver and the verifier against brute force, over every hand of four."""

import random
from itertools import combinations_with_replacement

import pytest

from shiftgym.tasks.points.deck import RANKS
from shiftgym.tasks.points.rules import fixed_rule
from shiftgym.tasks.points.solver import CANONICAL, formula, solutions, solvable
from shiftgym.tasks.points.verifier import Table, judge

HANDS = list(combinations_with_replacement(RANKS, 4))
RULES = ("faces_as_ten", "faces_as_11_12_13")


def some_formula(rng, numbers):
    """The numbers in any order, with any operators and brackets."""
    terms = [str(number) for number in rng.sample(numbers, len(numbers))]
    while len(terms) > 1:
        i = rng.randrange(len(terms) - 1)
        joined = f"{terms[i]}{rng.choice('+-*/')}{terms[i + 1]}"
        terms[i : i + 2] = [f"({joined})" if len(terms) > 2 else joined]
    return terms[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_every_hand_is_solved_and_judged_as_brute_force_says(name, reachable, oracle, said):
    assert len(HANDS) == 1820
    rule, rng = fixed_rule(name), random.Random(0)
    for hand in HANDS:
        numbers = rule.values(hand)
        table = Table(hand, rule, 24)
        can_be_solved = 24 in reachable(numbers)
        assert solvable(numbers, 24) == can_be_solved, hand
        texts = [formula(tree) for tree in solutions(tuple(sorted(numbers)), 24)]
        assert bool(texts) == can_be_solved, hand
        assert len(set(texts)) == len(texts) <= CANONICAL
        for text in texts:
            assert oracle(text, numbers, 24) == "correct", (hand, text)
        for text in [*texts, *(some_formula(rng, numbers) for _ in range(4))]:
            assert judge(said(text), table).outcome == oracle(text, numbers, 24), (hand, text)


@pytest.mark.parametrize(("cards", "hands"), [(3, 455), (5, 12), (6, 4)])
@pytest.mark.parametrize("target", [1, 24, 97])
def test_other_sizes_and_targets(cards, hands, target, reachable, oracle):
    rng = random.Random(cards)
    every = list(combinations_with_replacement(range(1, 14), cards)) if cards == 3 else []
    few = every or [tuple(sorted(rng.choices((1, 2, 3, 4, 5), k=cards))) for _ in range(hands)]
    assert len(few) == hands
    for numbers in few:
        trees = solutions(numbers, target)
        assert solvable(numbers, target) == bool(trees)
        if cards < 6:
            assert bool(trees) == (target in reachable(numbers)), numbers
        for tree in trees:
            assert oracle(formula(tree), numbers, target) == "correct", formula(tree)


def test_fractions_are_exact():
    assert [formula(tree) for tree in solutions((3, 3, 8, 8), 24)] == ["8/(3-8/3)"]
    assert not solvable((1, 1, 1, 1), 24)
    assert solvable((8, 3, 8, 3), 24), "in any order"


def test_plain_solutions_come_first():
    assert not set("/()") & set(formula(solutions((1, 2, 3, 4), 24)[0]))
