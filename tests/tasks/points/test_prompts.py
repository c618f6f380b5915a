"""What the policy is told, and how experts work."""

import json
import re
from fractions import Fraction

from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.registry import build_task

SPLITS = {
    "train": {},
    "id": {"hands": "test"},
    "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test", "faces": True},
    "diverse": {"rule": "random"},
    "three": {"cards": 3, "hands": "all"},
    "five": {"cards": 5},
    "six": {"cards": 6, "target": 100},
}
NUMBER = r"-?[0-9]+(?:/[0-9]+)?"
STEP = re.compile(rf"(\({NUMBER}\)|[0-9]+)([-+*/])(\({NUMBER}\)|[0-9]+)=({NUMBER})(?: left (.*))?")


def test_worked_steps_are_true_and_end_at_the_target():
    task = build_task("points", splits=SPLITS)
    for index in range(150):
        hand = task.problem("rule_ood", index)
        left = sorted(map(Fraction, hand.rule.values(hand.ranks)))
        for step in json.loads(task.expert(task.start(hand)))["steps"].split("; "):
            first, sign, second, result, rest = STEP.fullmatch(step).groups()
            a, b = Fraction(first.strip("()")), Fraction(second.strip("()"))
            left.remove(a)
            left.remove(b)
            left = sorted([*left, Fraction(result)])
            assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[sign] == Fraction(result), step
            assert sorted(map(Fraction, (rest or result).split())) == left, step
        assert left == [hand.target]


def test_the_prompt_states_the_rule_and_only_the_rule_changes_with_it():
    task = build_task("points", splits=SPLITS)
    other = build_task("points", splits={**SPLITS, "train": {"rule": "faces_as_11_12_13"}})
    sentence, shifted = Rule(10, 10, 10).sentence, Rule(11, 12, 13).sentence
    prompts = {}
    for name, one in (("ten", task), ("shifted", other)):
        prompts[name] = {
            hand.ranks: one.start(hand).prompt[0]["content"] for hand in (one.problem("train", i) for i in range(200))
        }
    both = prompts["ten"].keys() & prompts["shifted"].keys()
    assert both
    for ranks in both:
        assert sentence in prompts["ten"][ranks]
        assert prompts["ten"][ranks].replace(sentence, shifted) == prompts["shifted"][ranks]
