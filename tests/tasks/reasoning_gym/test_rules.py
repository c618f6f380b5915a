"""Our own rules, where a scorer of the package cannot be used."""

import json

import pytest

from shiftgym.tasks.reasoning_gym.rules import (
    RULES,
    fills_kakurasu,
    is_lowest_fraction,
    makes_target,
    moves_tower,
    names_roles,
    sorts_words,
)

NUMBERS = {"numbers": [8, 8, 3, 3], "target": 24}
TOWER = {"num_disks": 2, "num_pegs": 3, "start_peg": 1, "target_peg": 3, "solution_length": 3}
SOLVED = ["Move disk 1 from Peg 1 to Peg 2", "Move disk 2 from Peg 1 to Peg 3", "Move disk 1 from Peg 2 to Peg 3"]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("8/(3-8/3)", True),  # exactly, though not in floating point
        ("8 / (3 - 8 / 3)", True),
        ("8÷(3−8÷3)", True),
        ("8*3*(8-3-4)", False),  # a number that was not given
        ("8*3", False),  # not every number
        ("8+8+3+3", False),
        ("8/(3-8/3) = 24", False),  # the question wants no equals sign
        ("24", False),
        ("8/(3-3)*8", False),
        ("8/(3-8/3) + 0", False),
        ("__import__('os').system('true')", False),
        ("8**3", False),
        ("9" * 5000, False),
        ("(" * 5000, False),
        ("", False),
    ],
)
def test_a_formula_makes_the_target_from_every_number(answer, right):
    assert makes_target(answer, NUMBERS) is right


def test_a_value_close_to_the_target_is_not_the_target():
    assert not makes_target("100000*1000000/1000001", {"numbers": [100000, 1000000, 1000001], "target": 100000})
    assert makes_target("100000+1000001-1000000", {"numbers": [100000, 1000000, 1000001], "target": 100001})


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (SOLVED, True),
        ([f"  {line} " for line in SOLVED], True),
        ([SOLVED[0], "", *SOLVED[1:]], True),
        (SOLVED[:2], False),
        ([*SOLVED, "Move disk 1 from Peg 3 to Peg 3"], False),  # more moves than needed
        (["Move disk 2 from Peg 1 to Peg 3", *SOLVED[:2]], False),  # not the upper disk
        (["Move disk 1 from Peg 1 to Peg 3", "Move disk 2 from Peg 1 to Peg 3", SOLVED[2]], False),  # on a smaller one
        (["Move disk 1 from Peg 1 to Peg 9", *SOLVED[1:]], False),
        (["Move disk 1 from Peg 7 to Peg 2", *SOLVED[1:]], False),
        (["Move disk 1 to Peg 2", *SOLVED[1:]], False),
        ([], False),
    ],
)
def test_a_tower_is_moved_by_the_rules(lines, right, capsys):
    assert moves_tower("\n".join(lines), TOWER) is right
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("2/3", True),
        ("$2 / 3$", True),
        (r"\frac{2}{3}", True),
        (r"$\dfrac {2}{ 3 }$", True),
        (r"$\frac{2}{3}$ or $\frac{1}{2}$", False),  # which the scorer of the package takes
        (r"\frac{2}{3}0", False),
        ("2/3/1", False),
        ("4/6", False),
        ("-2/3", False),
        ("\u0662/\u0663", False),
        ("9" * 1000 + "/3", False),
        ("2", False),
        ("", False),
    ],
)
def test_a_fraction_in_lowest_terms(answer, right):
    assert is_lowest_fraction(answer, {"simplified_numerator": 2, "simplified_denominator": 3}) is right


GRID = {"row_sums": [2, 3], "col_sums": [2, 3]}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("0 1\n1 1", True),
        ("01\n11", True),
        ("0, 1,\r\n 1,1", True),
        ("The answer is 0 1\n1 1", False),  # which the scorer of the package takes
        ("0 1\n1 1 5", False),
        ("0 1\n\n1 1", False),
        ("1 1\n1 1", False),
        ("0 1", False),
        ("0 1\n1 1\n0 0", False),
        ("", False),
    ],
)
def test_a_grid_with_the_sums_asked_for(answer, right):
    assert fills_kakurasu(answer, GRID) is right


PEOPLE = {
    "names": ["Ann", "Ben", "Cy"],
    "solution": [True, False, True],
    "knight_knave_terms": {"a_knight": "an altruist", "a_knave": "a knave"},
}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Ann is an altruist, Ben is a knave, and Cy is an altruist.", True),
        ("ben is a knave and Ann is an altruist,\ncy is an Altruist", True),
        (
            "It is false that Ann is an altruist, Ben is a knave, and Cy is an altruist.",
            False,
        ),  # which the scorer takes
        ("Ann is an altruist, Ben is a knave, and Cy is an altruist, or not", False),
        ("Ann is an altruist, Ben is a knave, Cy is an altruist, and Cy is a knave", False),
        ("Ann is an altruist, and Ben is a knave.", False),
        ("Ann is a knave, Ben is a knave, and Cy is an altruist.", False),
        ("", False),
    ],
)
def test_who_is_what(answer, right):
    assert names_roles(answer, PEOPLE) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Ab, b, c", True),
        ("Ab,b ,  c", True),
        ("Ab, b, c, d", False),  # which the scorer of the package takes
        ("Ab, b, c,", False),
        ("b, Ab, c", False),
        ("ab, b, c", False),
        ("Ab b c", False),
        ("", False),
    ],
)
def test_sorted_words(answer, right):
    assert sorts_words(answer, {"sorted_words": ["Ab", "b", "c"]}) is right


@pytest.mark.parametrize("name", RULES)
def test_a_rule_never_raises(name, texts):
    import random

    metadata = {
        "countdown": NUMBERS,
        "fraction_simplification": {"simplified_numerator": 2, "simplified_denominator": 3},
        "kakurasu": GRID,
        "knights_knaves": PEOPLE,
        "tower_of_hanoi": TOWER,
        "word_sorting": {"sorted_words": ["Ab", "b"]},
    }[name]
    for text in texts("answer", ["8/(3-8/3)", "\\n".join(SOLVED), "2/3", "0 1\\n1 1"], random.Random(0), 200):
        assert RULES[name](text, metadata) in (True, False)
    assert json.dumps(metadata)
