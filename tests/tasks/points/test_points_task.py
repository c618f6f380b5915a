"""The task as a whole: experts, feedback, diagnosis."""

import json
import re
from fractions import Fraction

import pytest

from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.solver import formula, solutions
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


@pytest.mark.parametrize("expert", ["direct", "worked"])
def test_experts_are_right(expert, oracle):
    task = build_task("points", options={"expert": expert}, splits=SPLITS)
    for split in SPLITS:
        for index in range(100 if split in ("train", "id", "rule_ood") else 15):
            hand = task.problem(split, index)
            decision = task.start(hand)
            answer = json.loads(task.expert(decision))
            numbers = hand.rule.values(hand.ranks)
            assert decision.judge(json.dumps(answer)).correct
            assert oracle(answer["formula"], numbers, hand.target) == "correct"
            assert answer["cards"] == list(hand.ranks)
            assert answer["number"] == list(numbers)
            assert ("steps" in answer) == (expert == "worked")
            found = task.diagnose(decision, json.dumps(answer))
            assert (found.valid, found.style, found.translated) == (True, expert, True)
            assert found.perseverated in (False, None)


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


@pytest.mark.parametrize("hint", ["none", "outcome", "detail"])
def test_no_hint_gives_a_solution_away(hint):
    task = build_task("points", options={"hint": hint}, splits=SPLITS)
    said = set()
    for index in range(60):
        decision = task.start(task.problem("train", index))
        hand = decision.problem
        numbers = hand.rule.values(hand.ranks)
        texts = [formula(tree) for tree in solutions(tuple(sorted(numbers)), 24)]
        wrong = ["+".join(map(str, numbers)), f"{'+'.join(map(str, numbers))}=24", "1+1", "24!", "9" * 390, "1/(1-1)"]
        for attempt in wrong:
            verdict = decision.judge(json.dumps({"formula": attempt}))
            if verdict.correct:
                continue
            assert len(verdict.feedback) <= 200
            assert not any(text in verdict.feedback for text in texts)
            assert not decision.judge(verdict.feedback).correct
            said.add((verdict.outcome, verdict.feedback))
    feedback = {text for _, text in said}
    if hint == "none":
        assert len(feedback) == 1
    if hint == "outcome":
        assert len(feedback) == len({outcome for outcome, _ in said}) == 3
    if hint == "detail":
        assert len(feedback) > 10


def test_diagnosis_of_translation_and_perseveration():
    task = build_task("points", splits=SPLITS)
    hand = next(h for h in (task.problem("rule_ood", i) for i in range(99)) if sum(r in "JQK" for r in h.ranks) == 1)
    decision = task.start(hand)
    right = list(hand.rule.values(hand.ranks))
    habit = list(Rule(10, 10, 10).values(hand.ranks))
    other = [99 if rank in "JQK" else number for rank, number in zip(hand.ranks, right, strict=True)]

    def diagnose(**answer):
        return task.diagnose(decision, json.dumps(answer))

    assert diagnose(number=right, formula="1+1").translated is True
    assert diagnose(number=right, formula="1+1").perseverated is False
    assert (diagnose(number=habit).translated, diagnose(number=habit).perseverated) == (False, True)
    assert (diagnose(number=other).translated, diagnose(number=other).perseverated) == (False, False)
    assert diagnose(cards=list(hand.ranks)[::-1], number=right[::-1]).translated is True
    assert diagnose(number=right[:3]).translated is False
    assert diagnose(number="K is 10").translated is False
    assert diagnose(formula="1+1").valid is True
    assert diagnose(formula="1+").valid is False
    assert diagnose(formula="1+1").style == "direct"
    assert diagnose(steps="1+1=2", formula="1+1").style == "worked"
    assert diagnose(steps="1+1=2").style == "none"
    assert task.diagnose(decision, "no idea").style == "none"


def test_perseveration_does_not_apply_where_it_cannot_show():
    task = build_task("points", splits=SPLITS)
    assert all(task.diagnose(task.start(task.problem("id", i)), "{}").perseverated is None for i in range(20))
    untrained = build_task("points", splits={"rule_ood": SPLITS["rule_ood"]})
    assert untrained.diagnose(untrained.start(untrained.problem("rule_ood", 0)), "{}").perseverated is None


def test_an_answer_in_lines_is_judged_like_one_in_json():
    task = build_task("points", options={"form": "lines"}, splits=SPLITS)
    json_task = build_task("points", splits=SPLITS)
    for index in range(50):
        hand = task.problem("rule_ood", index)
        decision, twin = task.start(hand), json_task.start(hand)
        assert decision.prompt != twin.prompt
        written, other = task.expert(decision), json_task.expert(twin)
        assert decision.judge(written).correct
        assert decision.judge(other).outcome == "illegal", "the other form is not what was asked for"
        assert twin.judge(written).outcome == "illegal"
        assert task.diagnose(decision, written) == json_task.diagnose(twin, other)
    wrong = "Well then.\nnumber: 1 2\nformula: 1 + 1\nformula: 24"
    assert decision.judge(wrong).outcome == "wrong_numbers", "the first line of a name counts"
