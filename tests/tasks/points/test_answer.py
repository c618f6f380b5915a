"""Where the answer stands in the text, which slips are forgiven, and what vision adds."""

import pytest

from shiftgym.tasks.answer import read_object
from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.verifier import Table, judge
from shiftgym.tasks.registry import build_task

TEN = Rule(10, 10, 10)
EASY = Table(("8", "3", "A"), TEN, 24)


@pytest.mark.parametrize(
    "text",
    [
        '{"cards": ["8", "3", "A"], "number": [8, 3, 1], "formula": "8*3*1=24"}',
        '{"formula": "8*3*1"}',
        '```json\n{"cards": ["8", "3", "A"], "formula": "8*3*1"}\n```',
        '```\n{\n  "formula": "8*3*1",\n}\n```',
        'Let me see. The answer is {"formula": "8*3*1"}, as you can see.',
        "{'cards': ['8', '3', 'A'], 'number': [8, 3, 1], 'formula': '8*3*1=24',}",
        "{'cards': [8, 3, A], 'formula': '8*3*1',}",
        '{"cards": [8, 3, "A",], "formula": "8*3*1"}',
        '{"formula": "8*3*1"} {"formula": "1"}',
        'a set {8, 3} and then {"formula": "8*3*1"}',
        '{"steps": "3*8=24 left 1 24; 24*1=24", "formula": "8*3*1"}',
        '{"cards": "not judged in text", "number": "nor this", "formula": "8*3*1"}',
    ],
)
def test_read_and_judged_correct(text):
    assert judge(text, EASY).outcome == "correct"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8*3*1",
        "formula: 8*3*1",
        '"formula": "8*3*1"',
        '{"formula": "8*3*1"',
        '["8*3*1"]',
        '{"formula": 1} {"formula": "8*3*1"}',
        '{} {"formula": "8*3*1"}',
        '{"Formula": "8*3*1"}',
        '{"answer": {"formula": "8*3*1"}}',
        " " * 9000 + '{"formula": "8*3*1"}',
    ],
)
def test_not_an_answer(text):
    assert judge(text, EASY).outcome == "illegal"


def test_the_first_object_is_the_answer():
    assert judge('{"formula": "8+3+1"} {"formula": "8*3*1"}', EASY).outcome == "wrong_value"


@pytest.mark.parametrize(
    ("cards", "outcome"),
    [
        ('["K", "3", "8", "A"]', "wrong_numbers"),
        ('["A", "8", "3", "K"]', "wrong_numbers"),
        ("['K', 3, 8, 'A',]", "wrong_numbers"),
        ('["K", "3", "8", "8"]', "wrong_vision"),
        ('["K", "3", "8"]', "wrong_vision"),
        ('["10", "3", "8", "1"]', "wrong_vision"),
        ('["Q", "3", "8", "A"]', "wrong_vision"),
        ('"K 3 8 A"', "wrong_vision"),
        ("[]", "wrong_vision"),
    ],
)
def test_in_vision_the_cards_are_judged_first_as_a_multiset_of_printed_symbols(cards, outcome):
    table = Table(("K", "3", "8", "A"), TEN, 24, vision=True)
    assert judge(f'{{"cards": {cards}, "formula": "8*3"}}', table).outcome == outcome
    assert judge('{"cards": ["K", "3", "8", "A"], "formula": "3*(8+1)-"}', table).outcome == "illegal"
    assert judge('{"formula": "oops"}', table).reward == -1.5


def test_deep_nesting_is_only_a_bad_answer():
    """Every depth around Python's recursion limit, which reading and writing reach at different ones."""
    task = build_task("points")
    decision = task.start(task.problem("train", 0))
    seen = Table(decision.problem.ranks, TEN, 24, vision=True)
    for depth in [10, 100, *range(850, 1010), 3000]:
        nested = "[" * depth + "]" * depth
        for text in (f'{{"cards": [{nested}], "formula": {nested}}}', f"{{'cards': {nested}, 'formula': 1}}"):
            assert not judge(text, seen).correct
            assert not decision.judge(text).correct
            task.diagnose(decision, text)


def test_large_numbers_are_only_bad_answers():
    for text in (
        '{"formula": "%s"}' % ("9" * 390),
        '{"formula": %s}' % ("9" * 6000),
        '{"number": [1e999], "formula": 1}',
    ):
        assert judge(text, EASY).correct is False


def test_what_a_person_would_read_is_read():
    assert read_object("nothing here") is None
    assert read_object("{a: [1, 'two', three], 'b': \"it's\"}") == {"a": [1, "two", "three"], "b": "it's"}
