"""Judging one hand from outside."""

import json

from shiftgym.tasks.verify import verify_line

HAND = {"task": "points", "modality": "text", "rule": "faces_as_ten", "target": 24, "cards": ["8", "3", "A", "A"]}
RIGHT = '{"formula": "8*3*1*1"}'


def verified(**fields):
    return verify_line(json.dumps({**HAND, **fields}))


def test_both_forms():
    assert verified(answer=RIGHT) == {"outcome": "correct", "reward": 5.0, "feedback": "Correct."}
    assert verified(answer="no")["outcome"] == "illegal"
    solvable = verified()
    assert solvable["solvable"] is True
    assert verified(answer=json.dumps({"formula": solvable["solution"]}))["outcome"] == "correct"
    assert verified(cards=["A", "A", "A", "A"]) == {"solvable": False, "solution": None}


def test_rule_target_size_and_modality_count():
    kings = ["K", "K", "A", "A"]
    assert verified(cards=kings, answer='{"formula": "(13-1)+(13-1)"}')["outcome"] == "wrong_numbers"
    assert (
        verified(cards=kings, rule="faces_as_11_12_13", answer='{"formula": "(13-1)+(13-1)"}')["outcome"] == "correct"
    )
    assert verified(target=13, answer='{"formula": "8+3+1+1"}')["outcome"] == "correct"
    assert verified(cards=["8", "3", "A"], answer='{"formula": "8*3*1"}')["outcome"] == "correct"
    assert verified(cards=["8", "3", "A", "A", "A", "10"])["solvable"] is True
    assert verified(modality="vision", answer=RIGHT)["outcome"] == "wrong_vision"
