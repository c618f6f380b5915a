"""Our own rules, where a scorer of the package cannot be used."""

import json

import pytest

from shiftgym.tasks.reasoning_gym.rules import RULES, makes_target, moves_tower

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


@pytest.mark.parametrize("name", RULES)
def test_a_rule_never_raises(name, texts):
    import random

    metadata = {"countdown": NUMBERS, "tower_of_hanoi": TOWER}[name]
    for text in texts("answer", ["8/(3-8/3)", "\\n".join(SOLVED)], random.Random(0), 200):
        assert RULES[name](text, metadata) in (True, False)
    assert json.dumps(metadata)
