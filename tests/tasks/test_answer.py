"""Where the answer stands in the text, and which slips are forgiven."""

import pytest

from shiftgym.tasks.answer import read_object
from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.verifier import Table, judge

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


def test_what_a_person_would_read_is_read():
    assert read_object("nothing here") is None
    assert read_object("{a: [1, 'two', three], 'b': \"it's\"}") == {"a": [1, "two", "three"], "b": "it's"}
