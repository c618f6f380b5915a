"""Judging one answer from outside, with the record of a problem."""

import json
import re
from dataclasses import asdict

import pytest

from shiftgym.tasks.registry import build_task
from shiftgym.tasks.verify import verify_line

SUM = {"generator": "chain_sum", "question": "4 + 3 =", "answer": "7"}


def verified(problem, **fields):
    return verify_line(json.dumps({"task": "reasoning_gym", "problem": problem, **fields}))


@pytest.mark.parametrize("name", ["chain_sum", "graph_color", "knights_knaves", "tower_of_hanoi"])
def test_a_record_judges_as_its_decision_does(name):
    task = build_task("reasoning_gym", options={"generator": name})
    decision = task.start(task.problem("train", 3))
    right = task.expert(decision)
    for text in (right, right.replace("1", "2", 1), right[:-3], '{"answer": "x"}', "", "{"):
        verdict = decision.judge(text)
        told = {"outcome": verdict.outcome, "reward": verdict.reward, "feedback": verdict.feedback}
        assert verified(asdict(decision.problem), answer=text) == told


def test_only_what_judging_takes_must_be_given():
    assert verified(SUM, answer='{"answer": "7"}', id=3)["outcome"] == "correct"
    assert verified(SUM, answer="answer: 7", form="lines")["outcome"] == "correct"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"generator": "chain_smu"}, "problem.generator: 'chain_smu' is none of"),
        (
            {"generator": "bitwise_arithmetic", "metadata": '{"problem": "print(1)"}'},
            "problem.generator: .* is none of",
        ),
        ({"answer": 7}, r"problem\.answer: "),
        ({"solution": "7"}, r"problem\.solution: unknown key"),
        ({"metadata": "{"}, "problem.metadata: not a JSON object"),
        ({"metadata": "[" * 100_000}, "problem.metadata: not a JSON object"),
        ({"metadata": "[]"}, "problem.metadata: not a JSON object but list"),
        ({"generator": "countdown", "metadata": '{"target": 7}'}, "problem.metadata: lacks numbers"),
        ({"generator": "countdown", "metadata": '{"target": 7, "numbers": 7}'}, "problem.metadata: not what countdown"),
        (
            {
                "generator": "knights_knaves",
                "metadata": '{"names": ["A"], "solution": [true], "knight_knave_terms": {}}',
            },
            "problem.metadata: not what knights_knaves",
        ),
    ],
)
def test_a_record_that_cannot_be_read_says_why(changes, reason):
    result = verified({**SUM, **changes}, answer='{"answer": "7"}')
    assert list(result) == ["error"]
    assert re.search(reason, result["error"]), result
