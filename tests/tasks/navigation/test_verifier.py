"""Outcomes, what is forgiven, and that any text is judged."""

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftgym.tasks.navigation.route import Sight
from shiftgym.tasks.navigation.rules import SPACES
from shiftgym.tasks.navigation.verifier import Outcome, Situation, judge, read_action
from shiftgym.tasks.registry import build_task


def place(**changes):
    given = {"rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 60, "intersection": True}
    given |= {"landmark": None, "landmark_reward": False} | changes
    return Situation(SPACES[given.pop("rule")], *given.values())


def outcome(answer, where, hint="outcome"):
    return judge(answer if isinstance(answer, str) else json.dumps(answer), where, hint).outcome


def test_outcomes_and_rewards():
    where = place()
    for answer, expected, reward in (
        ({"action": "turn_direction(northeast)"}, "correct_action", 1),
        ({"observation": "intersection", "action": "turn_direction(north)"}, "wrong_action", -1),
        ({"observation": "intersection", "action": "forward()"}, "wrong_action", -1),
        ({"observation": "no intersection", "action": "forward()"}, "wrong_observation", -1.5),
        ({"observation": "no intersection", "action": "turn_direction(right)"}, "illegal_action", -1),
        ({"observation": "no intersection", "action": "turn_direction(northeast)"}, "correct_action", 1),
        ({"action": "forward()"}, "wrong_observation", -1.5),
        ({}, "illegal_action", -1),
    ):
        verdict = judge(json.dumps(answer), where)
        assert (verdict.outcome, verdict.reward, verdict.correct) == (expected, reward, reward == 1), answer
    assert outcome(
        {"observation": "intersection", "action": "stop()"}, place(expected="forward", intersection=False)
    ) == ("wrong_observation")
    assert outcome({"action": "turn_direction(right)"}, place(rule="relative")) == "correct_action"
    assert outcome({"action": "turn_direction(east)"}, place(rule="relative")) == "illegal_action"


@pytest.mark.parametrize("rule", ["absolute", "relative"])
def test_where_geometry_does_not_tell_both_sides_are_right(rule):
    for following, words in ((350, ("slightly left", "slightly right")), (170, ("left", "right"))):
        where = place(rule=rule, next_heading=following)
        said = words if rule == "relative" else ("north" if following == 350 else "south",)
        for word in said:
            assert outcome({"action": f"turn_direction({word})"}, where) == "correct_action"


@pytest.mark.parametrize(
    "action",
    ["turn_direction(slightly left)", " Turn_Direction( 'Slightly  LEFT' ) ", 'turn_direction("slightly left")',
     "`turn_direction(slightly\tleft)`", "turn_direction (slightly left )", "TURN_DIRECTION(SLIGHTLY LEFT)"],
)  # fmt: skip
def test_case_blanks_and_quotes_do_not_count(action):
    assert outcome({"action": action}, place(rule="relative", next_heading=320)) == "correct_action"


@pytest.mark.parametrize(
    "action",
    ["forward() stop()", "forward();stop()", "forward()forward()", "forward", "forward(1)", "go()", "",
     "turn_direction()", "turn_direction(north, east)", "turn_direction(north) turn_direction(east)",
     "turn_direction(north", "turn_direction(north))", "turn_direction(n0rth\u0131)", "forward()" * 50,
     None, 3, 2.5, True, [], ["forward()"], {"forward": 1}],
)  # fmt: skip
def test_what_is_no_single_action_is_illegal(action):
    for expected in ("turn", "forward", "stop"):
        assert outcome({"observation": "intersection", "action": action}, place(expected=expected)) == "illegal_action"


@pytest.mark.parametrize("value", [None, 1, 2.5, True, [], ["intersection"], {"a": 1}])
@pytest.mark.parametrize("field", ["observation", "steps", "action"])
def test_other_things_than_text_are_bad_answers(field, value):
    answer = {"observation": "intersection", "instruction": 1, "steps": "x", "action": "turn_direction(northeast)"}
    assert outcome(answer, place()) == "correct_action"
    assert outcome({**answer, field: value}, place()) == "illegal_action"


@pytest.mark.parametrize("value", [None, 2.5, True, [], {}])
def test_an_instruction_is_a_number_or_text(value):
    answer = {"action": "turn_direction(northeast)"}
    assert outcome({**answer, "instruction": value}, place()) == "illegal_action"
    assert outcome({**answer, "instruction": "2"}, place()) == "correct_action"


def test_the_papers_own_names_are_read():
    def papers(action, observation="You observe an intersection", instruction="Turn right."):
        fields = {"current observation": observation, "current instruction": instruction, "action": action}
        return outcome(json.dumps(fields)[:-1] + ",\n}", place())

    assert papers("turn_direction(northeast)") == "correct_action"
    assert papers("turn_direction(north)") == "wrong_action"
    assert papers("turn_direction(north)", "No intersection") == "wrong_observation"
    assert papers("turn_direction(northeast)", instruction=3) == "correct_action"
    for wrong in (None, 1, [], {}):
        assert papers("turn_direction(northeast)", observation=wrong) == "illegal_action"
    assert papers("turn_direction(northeast)", instruction=None) == "illegal_action"
    both = {"current observation": "intersection", "observation": "no intersection", "action": "forward()"}
    assert outcome(both, place()) == "wrong_observation", "our names count where an answer has both"


RIGHT, WRONG = '{"action": "turn_direction(northeast)"}', '{"observation": "intersection", "action": "forward()"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<think>{WRONG}</think>{RIGHT}", "correct_action"),
        (f"{WRONG}</thinking>{RIGHT}", "correct_action"),
        (f"<think>{RIGHT}", "illegal_action"),
        (f"{RIGHT}, no: {WRONG}", "wrong_action"),
        (f"{WRONG}, no: {RIGHT}", "correct_action"),
        (f'{RIGHT} as {{"observation": "...", "instruction": 1, "steps": "...", "action": "..."}}', "correct_action"),
        (f'{RIGHT} {{"observation": "intersection"}}', "correct_action"),
        (f'{{"observation": "no intersection"}} {WRONG}', "wrong_action"),
        (f'{RIGHT} {{"action": null}}', "illegal_action"),
        (f'{{"answer": {RIGHT}}}', "correct_action"),
        ('{"steps": "not {\'action\': \'stop()\'}", "action": "turn_direction(northeast)"}', "correct_action"),
        (" " * 20_000 + RIGHT, "correct_action"),
    ],
)
def test_the_last_complete_object_with_an_action_is_the_answer(text, expected):
    assert outcome(text, place()) == expected


def test_a_diagnosis_is_of_the_answer_that_was_judged():
    decision = STARTS[-1]
    (right,) = decision.situation.space.right_words(decision.stop.heading, decision.stop.next_heading)
    draft = '{"action": "turn_direction(north)"}'
    answer = f'{{"steps": "x", "current observation": "y", "action": "turn_direction({right})"}}'
    found = TASK.diagnose(decision, f"<think>{draft}</think> {draft} {answer}")
    assert (found.valid, found.style, found.translated, found.perseverated) == (True, "worked", True, False)


@pytest.mark.parametrize(
    ("observation", "right"),
    [
        ("intersection, Hotel Aurora right front", True),
        ("Facing north. Intersection. Hotel Aurora is on your right front.", True),
        ("no intersection, hotel aurora is on the right front", True),
        ("intersection, Hotel Aurora right", False),
        ("intersection, Hotel Opal right front", False),
        ("intersection", False),
        ("", False),
    ],
)
def test_with_landmark_reward_a_misread_landmark_is_wrong(observation, right):
    answer = {"observation": observation, "action": "turn_direction(northeast)"}
    sight = Sight("Hotel Aurora", "right front")
    assert outcome(answer, place(landmark=sight)) == "correct_action"
    verdict = judge(json.dumps(answer), place(landmark=sight, landmark_reward=True))
    assert (verdict.outcome, verdict.correct) == ("correct_action" if right else "wrong_observation", right)
    nothing = place(landmark_reward=True)
    assert outcome({**answer, "observation": "intersection, no landmark"}, nothing) == "correct_action"
    assert outcome({**answer, "observation": "intersection, Hotel Aurora left"}, nothing) == "wrong_observation"


@pytest.mark.parametrize("hint", ["none", "outcome", "detail"])
def test_feedback_is_short_and_gives_nothing_away(hint):
    said = set()
    for rule in SPACES:
        for expected in ("turn", "forward", "stop"):
            where = place(rule=rule, expected=expected)
            solution = {"turn": "turn_direction", "forward": "forward", "stop": "stop"}[expected]
            for action in ("forward()", "stop()", "turn_direction(south)", "turn_direction(left)", "go", None):
                for observation in ("intersection", "no intersection"):
                    verdict = judge(json.dumps({"observation": observation, "action": action}), where, hint)
                    if verdict.correct:
                        continue
                    said.add(verdict.feedback)
                    assert len(verdict.feedback) <= 200
                    assert solution not in verdict.feedback
                    assert not any(word in verdict.feedback for word in where.space.right_words(350, 60))
    assert len(said) == {"none": 1, "outcome": 3}.get(hint, len(said))
    assert hint != "detail" or len(said) > 5


TASK = build_task("navigation", splits={"train": {}, "rule_ood": {"rule": "relative"}})
STARTS = [TASK.start(TASK.problem(split, index)) for split in TASK.splits for index in range(3)]
words = st.sampled_from(
    ["forward()", "stop()", "turn_direction(", "left", "north", ")", "intersection", "no ", ", ", ".", "'"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.lists(words, max_size=6).map("".join),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
objects = st.fixed_dictionaries({}, optional=dict.fromkeys(("observation", "instruction", "steps", "action"), values))
texts = st.one_of(
    st.text(max_size=300),
    objects.map(json.dumps),
    objects.map(repr),
    st.tuples(st.sampled_from(["{", "[", '{"action":', "intersection ", "a, ", " "]), st.integers(1, 9000)).map(
        lambda pair: '{"action": "stop()", "observation": "' + pair[0] * pair[1] + '"}'
    ),
)


@settings(deadline=None, max_examples=200)
@given(texts)
def test_any_text_is_judged_soon_and_diagnosed(text):
    for decision in STARTS[:1] + STARTS[-1:]:
        started = time.thread_time()
        verdict = decision.judge(text)
        assert time.thread_time() - started < 0.05
        assert verdict.outcome in TASK.outcomes and len(verdict.feedback) <= 200
        assert verdict.correct == (verdict.reward > 0)
        TASK.diagnose(decision, text)


def _pays_only_what_another_reader_finds(texts, reader, soon):
    """Over texts, for every answer that is judged right."""
    decision = STARTS[0]
    paid = 0
    for text in texts:
        assert soon(lambda text=text: decision.judge(text)), text[:60]
        assert soon(lambda text=text: TASK.diagnose(decision, text)), text[:60]
        verdict = decision.judge(text)
        assert verdict.outcome in TASK.outcomes
        if verdict.correct:
            paid += 1
            found = reader(text, "action")
            assert found["action"] == RIGHT_ACTION and isinstance(found.get("observation", ""), str), text
    return paid


RIGHT_ACTION = json.loads(TASK.expert(STARTS[0]))["action"]
ACTIONS = [RIGHT_ACTION, RIGHT_ACTION, "forward()", "turn_direction(up)"]


def test_nothing_wrong_is_paid(independent_reader, texts, soon):
    few = texts("action", ACTIONS, random.Random(2), 1000)
    assert _pays_only_what_another_reader_finds(few, independent_reader, soon) > 100


@pytest.mark.slow
def test_nothing_wrong_is_paid_in_many_texts(independent_reader, texts, long_texts, soon):
    many = texts("action", ACTIONS, random.Random(3), 20_000)
    assert _pays_only_what_another_reader_finds(many, independent_reader, soon) > 2_000
    long = long_texts("action", TASK.expert(STARTS[0]), random.Random(4), 200)
    assert _pays_only_what_another_reader_finds(long, independent_reader, soon) > 50


def test_ten_thousand_answers_a_second():
    answers = [(decision, TASK.expert(decision)) for decision in STARTS]
    answers += [(decision, text.replace("turn_direction", "forward")) for decision, text in answers]
    seconds = []
    for _ in range(10):
        started = time.process_time()
        for decision, text in answers * 50:
            decision.judge(text)
        seconds.append(time.process_time() - started)
    assert 50 * len(answers) / min(seconds) > 10_000


def test_diagnosis():
    decision = STARTS[-1]
    (right,) = decision.situation.space.right_words(decision.stop.heading, decision.stop.next_heading)

    def diagnose(action, **fields):
        found = TASK.diagnose(decision, json.dumps({**fields, "action": action}))
        return found.valid, found.translated, found.perseverated

    assert diagnose(f"turn_direction({right})") == (True, True, False)
    assert diagnose("turn_direction(north)") == (False, False, True)
    assert diagnose("forward()") == (True, False, False)
    assert diagnose("?") == (False, False, False)
    assert TASK.diagnose(decision, "").kinds[0] == "turn"
    assert TASK.diagnose(decision, "").kinds[1].startswith("turn by ")
    while decision.stop.expected != "forward":
        decision = decision.next()
    assert TASK.diagnose(decision, "").kinds == ("forward",)
    assert diagnose("forward()") == (True, None, None)
    assert diagnose("turn_direction(east)") == (False, None, True)
    assert TASK.diagnose(STARTS[0], '{"action": "turn_direction(left)"}').perseverated is None


def test_outcomes_are_listed_best_first():
    assert TASK.outcomes == tuple(Outcome)
    assert read_action("forward()").move == "forward"
