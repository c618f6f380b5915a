"""Judging from outside."""

import io
import json
import re
import time

import pytest

from shiftgym.errors import DataError
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.verify import verify_file, verify_line, verify_lines

HAND = {"task": "points", "modality": "text", "rule": "faces_as_ten", "target": 24, "cards": ["8", "3", "A", "A"]}
RIGHT = '{"formula": "8*3*1*1"}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object but list"),
        ("[" * 100_000, "not a JSON object"),
        ("{}", "task: this key is missing"),
        (json.dumps({**HAND, "task": "chess"}), "task: .*points"),
        (json.dumps({**HAND, "anwser": "24"}), "anwser: unknown key; did you mean 'answer'"),
        (json.dumps({**HAND, "answer": None}), "answer: must be text"),
        (json.dumps({**HAND, "answer": 24}), "answer: "),
        (json.dumps({**HAND, "target": "24"}), "target: "),
        (json.dumps({**HAND, "target": 0}), "target: "),
        (json.dumps({**HAND, "rule": "faces"}), "unknown rule 'faces'"),
        (json.dumps({**HAND, "rule": "random"}), "drawn for each problem"),
        (json.dumps({**HAND, "modality": "smell"}), "modality: "),
        (json.dumps({**HAND, "cards": ["8", "3"]}), "cards: "),
        (json.dumps({**HAND, "cards": ["8"] * 7}), "cards: "),
        (json.dumps({**HAND, "cards": ["8", "3", "A", "T"]}), r"cards\.3: 'T' is no card"),
        (json.dumps({**HAND, "cards": [8, 3, 1]}), r"cards\.0: "),
    ],
)
def test_a_line_that_cannot_be_read_says_why(line, reason):
    result = verify_line(line)
    assert list(result) == ["error"]
    assert re.search(reason, result["error"]), result
    assert "\n" not in result["error"]


def test_one_result_a_line_in_order_from_a_file_with_bad_bytes(tmp_path):
    good = json.dumps({**HAND, "answer": RIGHT}).encode()
    file = tmp_path / "answers.jsonl"
    file.write_bytes(b"\n".join([good, b"", b"\xff\xfe", good.replace(b"*1*1", b"*1"), good]))
    out = io.StringIO()
    verify_file(str(file), out)
    results = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [result.get("outcome", "error") for result in results] == [
        "correct",
        "error",
        "error",
        "wrong_numbers",
        "correct",
    ]
    with pytest.raises(DataError, match="no such file"):
        verify_file(str(tmp_path / "missing.jsonl"), out)


OTHER = {**HAND, "cards": ["5", "5", "3", "6"]}
ANSWER = '{"cards": ["5", "5", "3", "6"], "number": [5, 5, 3, 6], "steps": "", "formula": "(5+5)*3-6"}'
STOP = {
    "task": "navigation", "rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 90, "landmark": None,
    "at_intersection": True, "instruction": "1", "attempt": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "answer", "outcome"),
    [
        (OTHER, '<think>Try {"formula": "5*5-6+3"} = 22, no.</think>\n' + ANSWER, "correct"),
        (OTHER, 'Try {"formula": "5*5-6+3"}, that is 22.\n</think>\n\n' + ANSWER, "correct"),
        (OTHER, '<think>Like {"cards": [...], "number": [...], "steps": "...", "formula": "..."}.</think>\n' + ANSWER,
         "correct"),
        (OTHER, "<think>Perhaps " + ANSWER, "illegal"),
        (OTHER, 'For example: {"cards": ["K"], "number": [10], "formula": "10"}\nMy answer: ' + ANSWER, "correct"),
        (OTHER, "<think>" + "5+5=10, hm. " * 1000 + "</think>" + ANSWER, "correct"),
        (OTHER, ANSWER + "\nor rather " + ANSWER.replace("(5+5)*3-6", "5+5+3+6"), "wrong_value"),
        (OTHER, ANSWER.replace("*", "\u00d7"), "correct"),
        (OTHER, ANSWER.replace("-", "\u2212"), "correct"),
        ({**HAND, "cards": ["8", "8", "3", "3"]}, '{"formula": "8\u00f7(3-8\u00f73)"}', "correct"),
        (OTHER, f'{{"answer": {ANSWER}}}', "correct"),
        (OTHER, "\ufeff" + ANSWER, "correct"),
        (STOP, '<think>format {"observation": "...", "instruction": 1, "action": "..."}</think>{"observation": '
               '"intersection", "instruction": 1, "action": "turn_direction(east)"}', "correct_action"),
        (STOP, '{\n  "current observation": "No landmark nearby; You observe an intersection",\n  "current '
               'instruction": "Turn right to face east.",\n  "action": "turn_direction(west)",\n}', "wrong_action"),
    ],
)  # fmt: skip
def test_answers_as_models_write_them(line, answer, outcome):
    assert verify_line(json.dumps({**line, "answer": answer}))["outcome"] == outcome
    assert verify_line(json.dumps({**line, "answer": answer}, ensure_ascii=False))["outcome"] == outcome


@pytest.mark.parametrize("name", ["a-1", 7, None, 1.5, True, [1, "x"], {"problem": 3}])
def test_an_id_passes_through(name):
    named = {"id": name, **HAND}
    assert verify_line(json.dumps({**named, "answer": RIGHT})) == {
        "id": name, "outcome": "correct", "reward": 5.0, "feedback": "Correct.",
    }  # fmt: skip
    assert verify_line(json.dumps(named)) == {"id": name, **verify_line(json.dumps(HAND))}
    for bad in ({**named, "task": "chess"}, {**named, "anwser": "24"}, {**named, "rule": "faces"}, {"id": name}):
        result = verify_line(json.dumps(bad))
        assert list(result) == ["id", "error"] and result["id"] == name
    stop = {**STOP, "answer": '{"action": "turn_direction(east)"}'}
    assert verify_line(json.dumps({**stop, "id": name})) == {"id": name, **verify_line(json.dumps(stop))}


def test_a_byte_order_mark_is_no_fault(tmp_path):
    line = json.dumps({**HAND, "answer": RIGHT})
    file = tmp_path / "answers.jsonl"
    file.write_bytes(f"{line}\n{line}\n".encode("utf-8-sig") * 2)
    out = io.StringIO()
    verify_file(str(file), out)
    assert [json.loads(result)["outcome"] for result in out.getvalue().splitlines()] == ["correct"] * 4


def test_ten_thousand_lines_take_a_tenth_of_fifteen_seconds():
    task = build_task("points")
    hands = [task.problem("train", index) for index in range(500)]
    lines = [
        json.dumps({**HAND, "cards": hand.ranks, **({"answer": task.expert(task.start(hand))} if i % 2 else {})})
        for i, hand in enumerate(hands)
    ] * 20
    out = io.StringIO()
    started = time.process_time()
    verify_lines(lines, out)
    assert time.process_time() - started < 1.5
    assert len(out.getvalue().splitlines()) == 10_000
