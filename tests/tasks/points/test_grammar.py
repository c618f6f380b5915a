"""Every line of the verdict that DESIGN section 3 lays down, on the hand K 3 8 8 under faces_as_ten."""

import pytest

from shiftgym.tasks.points.grammar import MAX_LENGTH, IllegalFormula, parse
from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.verifier import REWARDS, Table, judge

TEN = Rule(10, 10, 10)
HAND = Table(("K", "3", "8", "8"), TEN, 24)


def outcome(answer, table=HAND):
    return judge(answer, table).outcome


@pytest.mark.parametrize(
    "formula",
    [
        "(10-8+1)*8",
        "1+2+3+4",
        "10+3+8",
        "10+3+8+8+8",
        "108+3+8",
        "13-3+8+8",
        "3*8",
        "24",
    ],
)
def test_wrong_numbers(formula, said):
    assert outcome(said(formula)) == "wrong_numbers"


@pytest.mark.parametrize(
    "formula",
    [
        "10+3+8+8",
        "10+3+8+8=29",
        "10+3+8+8=24",
        "10*3-8+8",
        "10/(8-8)*3",
        "3/(8-8)+10=24",
        "3/((8-8)*10)=24",
    ],
)
def test_wrong_value(formula, said):
    assert outcome(said(formula)) == "wrong_value"


@pytest.mark.parametrize(
    "formula",
    [
        "8*3*(10-8-1)",
        "8 * 3 * ( 10-8 - 1 )",
        "\t8*3*(10-8-1)\t",
        "8*3*(10-8-1)=24",
        "8*3*(10-8-1) = 24 ",
        "((((8))))*3*(10-8-1)",
    ],
)
def test_correct(formula, said):
    assert outcome(said(formula), Table(("K", "3", "8", "8", "A"), TEN, 24)) == "correct"


def test_a_false_right_side_is_a_wrong_value(said):
    table = Table(("8", "3", "A"), TEN, 24)
    assert outcome(said("8*3*1=24"), table) == "correct"
    assert outcome(said("8*3*1=25"), table) == "wrong_value"


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "   ",
        "8*3*(10-8",
        "8*3)*(10-8",
        "8*3*()10-8",
        "8(3)+10+8",
        "(8)(3)+10+8",
        "8 8+3+10",
        "1 0+3+8+8",
        "-8+3+8+10",
        "+8+3+8+10",
        "8*-3+8+10",
        "8+(-3)+8+10",
        "8**3+8+10",
        "8//8+3+10",
        "8^3+8+10",
        "8%3+8+10",
        "8!+3+8+10",
        "8.0+3+8+10",
        "08+3+8+10",
        "8e1+3+10",
        "8,8+3+10",
        "8_8+3+10",
        "sqrt(8)+3+8+10",
        "max(8,8)+3+10",
        "K+3+8+8",
        "8+8+3+",
        "8+8+3+10=",
        "8+8+3+10=24=24",
        "8+8+3+10=20+4",
        "8+8+3+10=-24",
        "8+8+3+10=024",
        "8+8+3+10=(24)",
        "24=8+8+3+10",
        "=24",
        "8+8==3+10",
        "8+8\n+3+10",
        "8\u00d7\u00d78+3+10",
        "\u22128+3+8+10",
        "8\u00a08+3+10",
        "8+8+3+10=\u221224",
        *(f"8{dash}8+3+10" for dash in "\u2014\u2010\u2011\u2012\u2015\uff0d\ufe63"),
        *(f"8{sign}8+3+10" for sign in "\uff0b\u2715\u2716\u2a2f\u2022\u30fb\u2236\uff0f\u2571\u0445x"),
        *(f"8+8{blank}+3+10" for blank in "\u2007\u2002\u200a\u200b\u3000\u2060\ufeff\u2028\x0b\x0c\r\x00"),
        "8+8+3+10=\u00b2",
        "\u0668+3+8+10",
        "\uff18+3+8+10",
        "[8+8]+3+10",
        "8+8+3+10;8",
        "8+8+3+10 # done",
        "__import__('os').getpid()",
        "(" * 500 + "8",
        "8" + "+0" * 300,
    ],
)
def test_illegal(formula, said):
    assert outcome(said(formula)) == "illegal"
    with pytest.raises(IllegalFormula):
        parse(formula)


@pytest.mark.parametrize("formula", [None, 24, 24.0, True, ["8+8"], {"text": "8+8"}])
def test_a_formula_that_is_no_string_is_illegal(formula, said):
    assert outcome(said(formula)) == "illegal"


def test_one_outcome_and_one_penalty(said):
    """An answer with several faults gets the first of them; penalties never add."""
    illegal_and_wrong_numbers = judge(said("99+-1"), HAND)
    assert (illegal_and_wrong_numbers.outcome, illegal_and_wrong_numbers.reward) == ("illegal", -3.0)
    wrong_numbers_and_value = judge(said("1+1"), HAND)
    assert (wrong_numbers_and_value.outcome, wrong_numbers_and_value.reward) == ("wrong_numbers", -2.0)
    assert REWARDS == {
        "correct": 5.0,
        "wrong_value": -1.0,
        "wrong_numbers": -2.0,
        "illegal": -3.0,
        "wrong_vision": -1.5,
    }


@pytest.mark.parametrize(
    ("glyphs", "sign"),
    [
        ("\u00d7\u00b7\u2219\u22c5\u2217", "*"),
        ("\u00f7\u2215\u2044", "/"),
        ("\u2212\u2013", "-"),
        ("\u00a0\u2009\u202f", " "),
    ],
)
def test_glyphs_are_read_as_what_they_stand_for(glyphs, sign, said):
    for glyph in glyphs:
        for formula in ("8/(3-8/3)", "8 * 3 / (8 - 3) = 24", "2*3-4/5"):
            assert parse(formula.replace(sign, glyph)) == parse(formula), glyph
    table = Table(("8", "8", "3", "3"), TEN, 24)
    assert outcome(said("8\u00f7(3\u22128\u00f73)\u00a0=\u202f24"), table) == "correct"


def test_the_longest_formula_is_read_and_one_more_character_is_not():
    assert parse("8".rjust(MAX_LENGTH)).numbers == (8,)
    with pytest.raises(IllegalFormula, match="too long"):
        parse("8".rjust(MAX_LENGTH + 1))


def test_operators_bind_as_they_should():
    for text, value in {
        "8-3-2": (3, 1),
        "8/4/2": (1, 1),
        "8-(3-2)": (7, 1),
        "2+3*4": (14, 1),
        "(2+3)*4": (20, 1),
        "2-3*4/6": (0, 1),
        "8/(3-8/3)": (24, 1),
        "1/(2-2)": None,
        "0/(2-2)": None,
    }.items():
        assert parse(text).value() == value, text
