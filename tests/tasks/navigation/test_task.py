"""The task as a whole: experts, settings, pictures."""

import json
import time
from dataclasses import asdict

import pytest

from shiftgym.errors import ConfigError
from shiftgym.tasks.check import check_task
from shiftgym.tasks.navigation.rules import SPACES
from shiftgym.tasks.navigation.world.cities import MAKERS
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions


@pytest.mark.parametrize("rule", SPACES)
def test_experts_are_right_in_every_space(rule):
    splits = {city: {"city": city, "rule": rule} for city in MAKERS}
    for expert in ("worked", "direct"):
        task = build_task("navigation", options={"expert": expert, "landmark_reward": True}, splits=splits)
        for city in splits:
            for index in range(4):
                decision = task.start(task.problem(city, index))
                while decision is not None:
                    answer = task.expert(decision)
                    assert decision.judge(answer).correct
                    found = task.diagnose(decision, answer)
                    assert (found.valid, found.style) == (True, expert)
                    assert found.translated in (True, None)
                    decision = decision.next()


def test_a_setting_changes_only_its_factor():
    base = {"city": "london", "legs": [4, 6]}
    plain = build_task("navigation", splits={"x": base})
    for change in ({"rule": "relative"}, {"rule": "random"}):
        other = build_task("navigation", splits={"x": {**base, **change}})
        for index in range(50):
            a, b = asdict(plain.problem("x", index)), asdict(other.problem("x", index))
            assert a.pop("rule") == "absolute" and b.pop("rule") in SPACES
            assert a == b
            first, second = (t.start(t.problem("x", index)).prompt[0]["content"] for t in (plain, other))
            sentences = [SPACES[t.problem("x", index).rule].sentence for t in (plain, other)]
            assert first.replace(*sentences) == second
    hard = build_task("navigation", splits={"x": {**base, "passing": True}})
    more = 0
    for index in range(50):
        a, b = plain.problem("x", index), hard.problem("x", index)
        assert a.wordings == b.wordings
        assert a.instructions[::2] == b.instructions[::2]
        turns = [[s for s in route.stops if s.expected != "forward"] for route in (a, b)]
        assert [(s.x, s.y, s.heading, s.landmark) for s in turns[0]] == [
            (s.x, s.y, s.heading, s.landmark) for s in turns[1]
        ]
        assert not any(s.intersection for s in a.stops if s.expected == "forward")
        more += sum(s.intersection for s in b.stops if s.expected == "forward")
    assert more > 50


def test_a_thousand_routes_a_second():
    task = build_task("navigation")
    task.problem("train", 0)
    started = time.process_time()
    for index in range(1000):
        task.problem("train", index)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "setting",
    [
        {"legs": [1, 3]},
        {"legs": [4, 3]},
        {"legs": [3, 9]},
        {"wordings": {"compass": 0}},
        {"wordings": {"compass": -1, "both": 3}},
        {"wordings": {"smell": 1}},
        {"rule": "absolut"},
        {"city": "new_yrok"},
        {"city": "missing/map.osm"},
        {"straights": -1},
        {"citty": "london"},
    ],
)
def test_settings_that_cannot_be_are_refused(setting):
    with pytest.raises(ConfigError, match=r"splits.train"):
        build_task("navigation", splits={"train": setting})


def test_records_are_json():
    route = build_task("navigation").problem("train", 5)
    assert json.loads(json.dumps(asdict(route)))["city"] == "new_york"


LOOKS = {"train": {}, "look_ood": {"city": "all_but_new_york", "routes": "test"}}


@pytest.fixture(scope="module")
def seen():
    return build_task("navigation", options={"modality": "vision"}, splits=LOOKS)


@pytest.fixture(scope="module")
def named():
    return build_task("navigation", splits=LOOKS)


def test_routes_are_the_same_and_only_the_present_observation_is_shown(seen, named):
    for index in range(10):
        assert seen.problem("train", index) == named.problem("train", index)
        shown = list(decisions(seen, seen.problem("train", index)))
        said = list(decisions(named, named.problem("train", index)))
        for number, (here, there) in enumerate(zip(shown, said, strict=True)):
            (message,), (text,) = here.prompt, there.prompt
            assert len(message["pictures"]) == 1
            assert "pictures" not in text
            lines = [line for line in message["content"].splitlines() if not line.startswith("The picture has")]
            assert lines[:-1] == text["content"].splitlines()[:-1]
            assert lines[-1].endswith("and what is in the picture.")
            assert message["content"].count("Intersection.") == sum(
                stop.intersection for stop in here.problem.stops[:number]
            )


def test_the_views_show_the_streets_and_the_sign_that_are_there(seen):
    for index in range(10):
        for decision in decisions(seen, seen.problem("train", index)):
            stop, picture = decision.stop, decision.picture
            assert picture.sign == ((stop.landmark.name, stop.landmark.where) if stop.landmark else None)
            if stop.expected == "turn":
                ahead = round(stop.next_heading - stop.heading) % 360
                assert any(min(abs(ahead - way), 360 - abs(ahead - way)) <= 1 for way in picture.exits)
                assert len(picture.exits) >= 3
            else:
                assert picture.exits == (0, 180)


def test_the_same_location_has_the_same_random_details(seen):
    walk = list(decisions(seen, seen.problem("train", 0)))
    again = list(decisions(seen, seen.problem("train", 0)))
    assert [decision.picture for decision in walk] == [decision.picture for decision in again]
    assert len({decision.picture.seed for decision in walk}) == len(walk)


def test_a_shift_of_look_draws_any_other_city(seen):
    cities = {seen.problem("look_ood", index).city for index in range(60)}
    assert cities == set(MAKERS) - {"new_york"}


def test_recognition_is_of_intersection_and_landmark(seen, named):
    walk = list(decisions(seen, seen.problem("train", 0)))
    decision = next(decision for decision in walk if decision.stop.intersection and decision.stop.landmark)
    answer = json.loads(seen.expert(decision))
    assert seen.diagnose(decision, json.dumps(answer)).recognised is True
    assert seen.diagnose(decision, json.dumps({**answer, "action": "stop()"})).recognised is True
    for observation in ("intersection", f"no {answer['observation']}", "intersection, Hotel Nowhere left", None):
        assert seen.diagnose(decision, json.dumps({**answer, "observation": observation})).recognised is False
    said = named.start(named.problem("train", 0))
    assert named.diagnose(said, named.expert(said)).recognised is None


def test_the_task_in_pictures_keeps_the_contract():
    found = check_task("navigation", options={"modality": "vision", "size": 96}, splits={"train": {}})
    assert [finding for finding in found if not finding.ok] == []
