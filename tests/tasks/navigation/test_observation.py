"""What is read from an observation."""

import json

import pytest

from shiftgym.tasks.navigation import prompts
from shiftgym.tasks.navigation.directions import SPATIAL
from shiftgym.tasks.navigation.observation import reports_intersection, reports_landmark
from shiftgym.tasks.navigation.route import Sight, Stop
from shiftgym.tasks.navigation.rules import SPACES
from shiftgym.tasks.navigation.verifier import Situation, judge

BAKERY = Sight("Intersection Bakery", "right")


def place(**changes):
    given = {"rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 60, "intersection": True}
    given |= {"landmark": None, "landmark_reward": False} | changes
    return Situation(SPACES[given.pop("rule")], *given.values())


def outcome(answer, where, hint="outcome"):
    return judge(answer if isinstance(answer, str) else json.dumps(answer), where, hint).outcome


@pytest.mark.parametrize(
    ("observation", "reported"),
    [
        ("intersection", True),
        ("Intersection.", True),
        ("You observe an intersection", True),
        ("I am at an intersection, Hotel Aurora right", True),
        ("Facing north. Intersection. No landmark.", True),
        ("intersection, Intersection Bakery right", True),
        ("no intersection", False),
        ("No intersection, Intersection Bakery right", False),
        ("Intersection Bakery is on your right", False),
        ("Intersection Bakery", False),
        ("I am not at an intersection", False),
        ("there is no intersection here", False),
        ("I am standing at an intersection", True),
        ("at an intersection with Hotel X on your right", True),
        ("intersection (no landmark)", True),
        ("intersection without landmark", True),
        ("no landmark but an intersection", True),
        ("Intersection: yes. Landmark: none.", True),
        ("Intersection: no. Landmark: none.", False),
        ("intersection: none", False),
        ("no landmark or intersection", False),
        ("I don't see an intersection", False),
        ("neither landmark nor intersection", False),
        ("between intersections", False),
        ("", False),
        ("nothing", False),
    ],
)
def test_an_intersection_is_a_report_and_no_name(observation, reported):
    assert reports_intersection(observation, BAKERY) is reported
    wrong = {"observation": observation, "action": "stop()"}
    assert outcome(wrong, place(landmark=BAKERY)) == ("wrong_action" if reported else "wrong_observation")
    assert outcome(wrong, place(landmark=BAKERY, intersection=False)) == (
        "wrong_observation" if reported else "wrong_action"
    )


def test_no_part_of_a_name_is_a_report():
    tricky = Sight("St. James, Intersection", "left")
    assert not reports_intersection("no intersection, St. James, Intersection left", tricky)
    assert reports_intersection("intersection, St. James, Intersection left", tricky)


@pytest.mark.parametrize(
    "name",
    ["Inter", "No", "no intersection", "Intersection", "Right", "Left Bank", "It", "The Front", "Not", "Yahoo!", "!",
     "section", "Bar (No. 5)", "Fish and Chips, without Fish", "A: no", "Landmark: none", "An Intersection is here",
     "\u0130ris \u039f\u0394\u039f\u03a3"],
)  # fmt: skip
def test_experts_are_right_about_any_name(name):
    for crossing in (True, False):
        for where in SPATIAL:
            sight = Sight(name, where)
            said = "intersection" if crossing else "no intersection"
            stop = Stop(0, 0, 350, "turn", 60, crossing, sight, 1)
            answer = prompts.answer(stop, SPACES["absolute"], steps=True)
            assert judge(answer, place(landmark=sight, intersection=crossing, landmark_reward=True)).correct
            for report in (json.loads(answer)["observation"], f"Facing north. {said.capitalize()}. {sight.text}."):
                assert reports_intersection(report, sight) is crossing, report
                assert reports_landmark(report, sight), report
                assert not reports_landmark(report, Sight(name, "left" if where == "right" else "right")), report


def test_the_observation_of_a_wordy_answer_names_the_landmark():
    sight = Sight("Hotel X", "right")
    assert reports_landmark("at an intersection with Hotel X on your right", sight)
    assert reports_landmark("Intersection: no. Landmark: Hotel X right.", sight)
    assert reports_landmark("Intersection: no. Landmark: none.", None)
    assert not reports_landmark("Intersection: no. Landmark: none.", sight)
    assert not reports_landmark("intersection, it right", sight)
