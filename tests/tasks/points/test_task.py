"""The task as a whole: experts, feedback, diagnosis, pictures."""

import json
from dataclasses import FrozenInstanceError, asdict

import pytest
from pydantic import ValidationError

from shiftgym.errors import ConfigError
from shiftgym.messages import recorded
from shiftgym.tasks.check import check_task
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
    assert (diagnose(number=habit, formula="").translated, diagnose(number=habit, formula="").perseverated) == (
        False,
        True,
    )
    assert (diagnose(number=other, formula="").translated, diagnose(number=other, formula="").perseverated) == (
        False,
        False,
    )
    assert diagnose(cards=list(hand.ranks)[::-1], number=right[::-1], formula="").translated is True
    assert diagnose(number=right[:3], formula="").translated is False
    assert diagnose(number="K is 10", formula="").translated is False
    assert diagnose(formula="1+1").valid is True
    assert diagnose(formula="1+").valid is False
    assert diagnose(formula="1+1").style == "direct"
    assert diagnose(steps="1+1=2", formula="1+1").style == "worked"
    assert diagnose(steps="1+1=2").style == "none"
    assert diagnose(number=right).translated is False, "without a formula it is no answer"
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


LOOKS = {
    "train": {"look": "black", "nuisance": 0.25},
    "look_ood": {"look": "red", "nuisance": 0.25, "hands": "test"},
}


@pytest.fixture(scope="module")
def seen():
    return build_task("points", options={"modality": "vision"}, splits=LOOKS)


@pytest.fixture(scope="module")
def named():
    return build_task("points", splits=LOOKS)


def test_hands_are_the_same_in_text_and_in_pictures(seen, named):
    for index in range(50):
        shown, said = seen.problem("train", index), named.problem("train", index)
        assert (shown.cards, shown.rule) == (said.cards, said.rule)
        assert said.picture is None
        assert shown.picture.cards == tuple((card.rank, card.suit) for card in shown.cards)


def test_the_prompt_shows_the_cards_and_does_not_name_them(seen, named):
    decision = seen.start(seen.problem("train", 3))
    (message,) = decision.prompt
    assert message["pictures"] == (decision.problem.picture,)
    assert "the cards in the picture" in message["content"]
    said = named.start(named.problem("train", 3)).prompt[0]["content"]
    cards = json.dumps(list(decision.problem.ranks))
    assert message["content"] == said.replace(f"the cards {cards}", "the cards in the picture")
    assert json.loads(json.dumps(recorded(decision.prompt)))[0]["pictures"][0]["design"] == "classic"


def test_a_look_changes_the_suits_that_are_shown(seen):
    suits = {suit for index in range(20) for _, suit in seen.problem("look_ood", index).picture.cards}
    assert suits == {"H", "D"}


def test_text_never_draws(named, monkeypatch):
    monkeypatch.setattr("shiftgym.tasks.points.picture.HandPicture.draw", lambda self: pytest.fail("drawn"))
    decision = named.start(named.problem("train", 0))
    assert "pictures" not in decision.prompt[0]
    assert decision.judge(named.expert(decision)).correct


def test_misread_cards_are_a_verdict_of_their_own_and_order_does_not_count(seen):
    decision = seen.start(seen.problem("train", 0))
    answer = json.loads(seen.expert(decision))
    assert decision.judge(json.dumps(answer)).outcome == "correct"
    reversed_ = {**answer, "cards": answer["cards"][::-1], "number": answer["number"][::-1]}
    assert decision.judge(json.dumps(reversed_)).outcome == "correct"
    other = next(rank for rank in "A23456789" if rank not in answer["cards"])
    for cards in ([other, *answer["cards"][1:]], answer["cards"][1:], [], "A 2 3 4", None, 7):
        verdict = decision.judge(json.dumps({**answer, "cards": cards}))
        assert (verdict.outcome, verdict.reward) == ("wrong_vision", -1.5)


def test_recognition_is_measured_apart_from_success(seen, named):
    decision = seen.start(seen.problem("train", 0))
    answer = json.loads(seen.expert(decision))
    assert seen.diagnose(decision, json.dumps(answer)).recognised is True
    assert seen.diagnose(decision, json.dumps({**answer, "formula": "1+1"})).recognised is True
    assert seen.diagnose(decision, json.dumps({**answer, "cards": ["A"]})).recognised is False
    assert seen.diagnose(decision, "no object at all").recognised is False
    said = named.start(named.problem("train", 0))
    assert named.diagnose(said, named.expert(said)).recognised is None


def test_the_task_in_pictures_keeps_the_contract():
    found = check_task("points", options={"modality": "vision"}, splits=LOOKS)
    assert [finding for finding in found if not finding.ok] == []


def test_a_hand_with_its_picture_is_a_plain_record(seen):
    record = asdict(seen.problem("train", 0))
    assert json.loads(json.dumps(record))["picture"]["size"] == 128


OOD = {"rule": "faces_as_11_12_13", "hands": "test", "faces": True}


def hands(count, seed=0, split="train", **setting):
    task = build_task("points", splits={split: setting}, seed=seed)
    return [task.problem(split, index) for index in range(count)]


@pytest.mark.parametrize("setting", [{}, OOD, {"rule": "random"}, {"target": 36}])
def test_hands_can_be_solved(setting, reachable):
    for hand in hands(150, **setting):
        assert hand.target in reachable(hand.rule.values(hand.ranks))


def test_the_same_seed_gives_the_same_hand_in_any_order():
    assert hands(50) == hands(50)
    task = build_task("points")
    assert [task.problem("train", index) for index in reversed(range(50))] == hands(50)[::-1]


def test_seeds_share_few_hands():
    zero, one = hands(2000, seed=0), hands(2000, seed=1)
    assert sum(a.cards == b.cards for a, b in zip(zero, one, strict=True)) < 5
    assert len({hand.cards for hand in zero} & {hand.cards for hand in one}) < 20
    other_split = hands(2000, split="id")
    assert len({hand.cards for hand in zero} & {hand.cards for hand in other_split}) < 20


def test_a_hand_is_frozen_plain_data():
    hand = hands(1)[0]
    with pytest.raises(FrozenInstanceError):
        hand.index = 3
    assert asdict(hand)["rule"] == {"jack": 10, "queen": 10, "king": 10}


def test_a_setting_without_a_solvable_hand_says_so():
    with pytest.raises(ConfigError, match=r"splits\.train: no solvable hand"):
        hands(1, target=997, cards=3)


@pytest.mark.parametrize(
    "setting",
    [{"cards": 2}, {"cards": 7}, {"target": 0}, {"look": "blue"}, {"hands": "none"}, {"rules": "faces_as_ten"}],
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(ConfigError, match=f"splits.train.{next(iter(setting))}"):
        build_task("points", splits={"train": setting})
    with pytest.raises(ValidationError):
        type(build_task("points")).Setting(**setting)
