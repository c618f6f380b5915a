"""Judging: any text gets a verdict in under 50 ms, a wrong answer is never paid, and vision judges the cards too."""

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.task import PointsTask
from shiftgym.tasks.points.verifier import Table, judge
from shiftgym.tasks.registry import build_task

TASK = PointsTask(PointsTask.Options(), {"train": PointsTask.Setting()}, seed=0, train="train")
DECISIONS = [TASK.start(TASK.problem("train", index)) for index in range(20)]
NUMBERS = (3, 8, 1)
EASY = Table(("3", "8", "A"), Rule(10, 10, 10), 24)
LIMIT = 0.05
# The machine may be busy: our own processor time is limited, not the wall clock that hypothesis watches.
fuzz = settings(deadline=None, max_examples=300)
formulas = st.one_of(
    st.lists(st.sampled_from(["3", "8", "1", "+", "*", "-", "/", "(", ")", "="]), max_size=14).map("".join),
    st.permutations(["3", "8", "1"]).flatmap(
        lambda numbers: st.lists(st.sampled_from("+-*/"), min_size=2, max_size=2).map(
            lambda signs: f"{numbers[0]}{signs[0]}{numbers[1]}{signs[1]}{numbers[2]}"
        )
    ),
    st.text("0123456789+-*/()= \t", max_size=40),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | formulas,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
objects = st.fixed_dictionaries({}, optional=dict.fromkeys(("cards", "number", "steps", "formula"), values))
pieces = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", ",", ":", "\\", "formula", "cards", "8*3*1", "```", "\n", "-", "9"]
)
texts = st.one_of(
    st.text(max_size=300),
    st.text(st.characters(), max_size=300),
    st.lists(pieces, max_size=200).map("".join),
    objects.map(json.dumps),
    objects.map(repr),
    st.tuples(st.text(max_size=30), objects.map(json.dumps), st.text(max_size=30)).map("".join),
    st.tuples(st.sampled_from(["{", "[", "(", '{"a":', '{"formula": "(', "'", '{"\\']), st.integers(1, 9000)).map(
        lambda pair: pair[0] * pair[1]
    ),
)


@fuzz
@given(texts)
def test_any_text_is_judged_soon_and_diagnosed(text):
    for decision in DECISIONS[:2]:
        started = time.thread_time()
        verdict = decision.judge(text)
        assert time.thread_time() - started < LIMIT
        assert verdict.outcome in TASK.outcomes
        assert len(verdict.feedback) <= 200
        started = time.thread_time()
        TASK.diagnose(decision, text)
        assert time.thread_time() - started < LIMIT


@fuzz
@given(formulas)
def test_formulas_are_judged_as_pythons_parser_and_fractions_say(oracle, formula):
    assert judge(json.dumps({"formula": formula}), EASY).outcome == oracle(formula, NUMBERS, 24)


@fuzz
@given(st.data())
def test_damaged_experts_are_paid_only_if_still_right(oracle, data):
    decision = data.draw(st.sampled_from(DECISIONS))
    answer = TASK.expert(decision)
    at = data.draw(st.integers(0, len(answer) - 1))
    damaged = answer[:at] + data.draw(st.text(max_size=3)) + answer[at + data.draw(st.integers(0, 3)) :]
    if decision.judge(damaged).correct:
        formula = damaged[damaged.rindex('formula"') :].split('"')[2]
        hand = decision.problem
        assert oracle(formula, hand.rule.values(hand.ranks), hand.target) == "correct", damaged


GLYPHS = str.maketrans("\u00d7\u00f7\u2212", "*/-")


def _pays_only_what_another_reader_finds(texts, reader, oracle, soon):
    """Over texts, for every answer that is judged right."""
    paid = 0
    for text in texts:
        assert soon(lambda text=text: judge(text, EASY)), text[:60]
        assert soon(lambda text=text: TASK.diagnose(DECISIONS[0], text)), text[:60]
        verdict = judge(text, EASY)
        assert verdict.outcome in TASK.outcomes
        if verdict.correct:
            paid += 1
            assert oracle(reader(text, "formula")["formula"].translate(GLYPHS), NUMBERS, 24) == "correct", text
    return paid


FORMULAS = ["8*3*1", "8*3/1=24", "8\u00d73\u00f71", "8+3\u22121", "(8*3", "8\u00d73", "8\u20113*1", "24"]
ANSWER = '{"cards": ["3", "8", "A"], "number": [3, 8, 1], "formula": "8*3*1"}'


def test_nothing_wrong_is_paid(independent_reader, oracle, texts, soon):
    few = texts("formula", FORMULAS, random.Random(0), 1000)
    assert _pays_only_what_another_reader_finds(few, independent_reader, oracle, soon) > 50


@pytest.mark.slow
def test_nothing_wrong_is_paid_in_many_texts(independent_reader, oracle, texts, long_texts, soon):
    many = texts("formula", FORMULAS, random.Random(1), 20_000)
    assert _pays_only_what_another_reader_finds(many, independent_reader, oracle, soon) > 1_000
    long = long_texts("formula", ANSWER, random.Random(2), 200)
    assert _pays_only_what_another_reader_finds(long, independent_reader, oracle, soon) > 50


def test_a_diagnosis_is_of_the_answer_that_was_judged():
    task = build_task("points", splits={"train": {}, "ood": {"rule": "faces_as_11_12_13", "faces": True}})
    decision = task.start(task.problem("ood", 0))
    answer = json.loads(task.expert(decision))
    draft = {**answer, "number": [10 if number > 10 else number for number in answer["number"]], "steps": ""}
    text = f'<think>{json.dumps(draft)}</think>{json.dumps(draft)} no: {json.dumps(answer)} {{"number": [1]}}'
    assert decision.judge(text).correct
    found = task.diagnose(decision, text)
    assert (found.valid, found.style, found.translated, found.perseverated) == (True, "worked", True, False)
    assert task.diagnose(decision, json.dumps(draft)).perseverated


def test_nothing_is_evaluated_as_code(tmp_path):
    trace = tmp_path / "executed"
    for code in (f"__import__('pathlib').Path({str(trace)!r}).touch()", f"open({str(trace)!r}, 'w')"):
        for text in (code, json.dumps({"formula": code}), "{'formula': " + code + "}", "{" + code + "}"):
            assert not DECISIONS[0].judge(text).correct
            TASK.diagnose(DECISIONS[0], text)
    assert not trace.exists()


TEN = Rule(10, 10, 10)


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
