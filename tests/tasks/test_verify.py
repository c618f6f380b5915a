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
