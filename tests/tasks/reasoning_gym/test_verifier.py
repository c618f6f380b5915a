"""One outcome an answer: a full score or none."""

import json
import random

import pytest

from shiftgym.tasks.reasoning_gym.verifier import SPARE, Question, answer_text, is_right, judge

SUM = Question("train", 0, "chain_sum", "State the final answer to the following arithmetic problem: 4 + 3 =", "7")
WEEK = json.dumps({"task": "recurring_event_day"})
NEVER = Question("train", 0, "calendar_arithmetic", "Which day is the fifth Friday?", "-1", WEEK)
BACK = Question("train", 0, "spell_backward", "Spell this word backward (example: sun -> nus): cat", "tac")
EDGE = json.dumps({"puzzle": {"vertices": [0, 1], "edges": [[0, 1]], "color_options": [1, 2]}})
GRAPH = Question("train", 0, "graph_color", "Colour 0 and 1.", '{"0": 1, "1": 2}', EDGE)


def outcome(text, problem=SUM, form="json"):
    return judge(text, problem, form, "outcome").outcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"answer": "7"}', "correct"),
        ('{"steps": "4 and 3", "answer": " 7\\n"}', "correct"),
        ('{"answer": 7}', "correct"),
        ("I think {'answer': '8'}, no: {'answer': '7',}", "correct"),
        ('<think>{"answer": "8"}</think>{"answer": "7"}', "correct"),
        ('{"answer": "+07.0"}', "correct"),  # as the generator's own scorer has it
        ('{"answer": "8"}', "wrong"),
        ('{"answer": "7 or 8"}', "wrong"),
        ('{"answer": "nan"}', "wrong"),
        ('{"answer": [7]}', "wrong"),
        ('{"answer": true}', "wrong"),
        ('{"answer": "1e999999999"}', "wrong"),
        ('{"answer": ""}', "no_answer"),
        ('{"answer": " \\n"}', "no_answer"),
        ('{"answer": null}', "no_answer"),
        ('{"answer": "..."}', "no_answer"),
        ("7", "no_answer"),
        ("<answer>7</answer>", "no_answer"),  # one convention, ours
        ("", "no_answer"),
    ],
)
def test_outcomes(text, expected):
    verdict = judge(text, SUM, "json", "outcome")
    assert verdict.outcome == expected
    assert verdict.correct == (expected == "correct") == (verdict.reward > 0)


def test_a_share_of_a_score_and_more_than_a_score_are_wrong():
    assert outcome('{"answer": "-1"}', NEVER) == "correct"
    assert outcome('{"answer": "3"}', NEVER) == "wrong", "the scorer gives it more than 1"
    assert outcome('{"answer": "tacs"}', BACK) == "wrong", "the scorer gives it nearly 1"
    assert outcome('{"answer": "tac"}', BACK) == "correct"


def test_an_object_stands_for_its_json_and_any_right_answer_counts():
    assert outcome(json.dumps({"answer": '{"0": 2, "1": 1}'}), GRAPH) == "correct"
    assert outcome(json.dumps({"answer": {"0": 2, "1": 1}}), GRAPH) == "correct"
    assert outcome(json.dumps({"answer": {"0": 2, "1": 2}}), GRAPH) == "wrong"
    assert outcome(json.dumps({"answer": {"0": 2}}), GRAPH) == "wrong"


def test_lines():
    assert outcome("steps: none\nanswer: 7", form="lines") == "correct"
    assert outcome('{"answer": "7"}', form="lines") == "no_answer"
    assert answer_text({"answer": r"1 2\n3 4"}, "lines") == "1 2\n3 4"
    assert answer_text({"answer": r"1 2\n3 4"}, "json") == r"1 2\n3 4"


def test_an_answer_that_is_too_long_is_wrong_unread():
    padded = "7".rjust(4 * len(SUM.answer) + SPARE, "0")
    assert is_right(padded, SUM)
    assert not is_right(f"0{padded}", SUM)


def test_hints_say_no_more_than_they_should():
    assert judge('{"answer": "8"}', SUM, "json", "none").feedback == judge("", SUM, "json", "none").feedback
    assert judge('{"answer": "8"}', SUM, "json", "outcome").feedback != judge("", SUM, "json", "outcome").feedback
    assert judge('{"answer": "7"}', SUM, "json", "none").feedback == "Correct."


@pytest.mark.parametrize("problem", [SUM, NEVER, BACK, GRAPH], ids=lambda problem: problem.generator)
def test_any_text_is_judged(problem, texts, capsys):
    for text in texts("answer", [problem.answer.replace('"', r"\"")], random.Random(1), 100):
        judge(text, problem, "json", "outcome")
    judge(json.dumps({"answer": "\ud800"}), problem, "json", "outcome")
    judge('{"answer": ' + '{"a": ' * 900 + "1" + "}" * 901, problem, "json", "outcome")
    assert capsys.readouterr() == ("", "")
