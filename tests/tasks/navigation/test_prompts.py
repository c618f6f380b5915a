"""What is said along a route: one text that only grows."""

import json

from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

TASK = build_task(
    "navigation", splits={"train": {}, "rule_ood": {"rule": "relative"}, "hard": {"city": "london", "passing": True}}
)


def test_a_prompt_begins_with_the_prompt_before_it():
    for split in TASK.splits:
        for index in range(20):
            route = TASK.problem(split, index)
            before = ""
            for decision in decisions(TASK, route):
                (message,) = decision.prompt
                assert message["role"] == "user"
                assert message["content"].startswith(before)
                added = message["content"][len(before) :]
                assert added.count("Seen: ") == 1 and added.endswith("\n")
                assert not before or added.startswith("Done: ")
                before = message["content"]
            assert before.count("Seen: ") == len(route.stops)


def test_the_history_tells_the_right_actions():
    route = TASK.problem("rule_ood", 1)
    walk = list(decisions(TASK, route))
    done = [
        line.removeprefix("Done: ") for line in walk[-1].prompt[0]["content"].splitlines() if line.startswith("Done: ")
    ]
    assert done == [json.loads(TASK.expert(decision))["action"] for decision in walk[:-1]]


def test_the_instruction_number_is_that_of_the_sentence_in_force():
    for index in range(30):
        route = TASK.problem("train", index)
        for stop in route.stops:
            sentence = route.instructions[stop.instruction - 1]
            assert (stop.instruction % 2 == 1) == (stop.expected == "turn")
            assert stop.expected != "stop" or "destination" in sentence
        assert [stop.instruction for stop in route.stops] == sorted(stop.instruction for stop in route.stops)


def test_no_landmark_is_said_alike_everywhere():
    said = {"turn": set(), "forward": set()}
    for index in range(60):
        for stop, line in zip(
            (route := TASK.problem("train", index)).stops,
            [
                line
                for line in list(decisions(TASK, route))[-1].prompt[0]["content"].splitlines()
                if line.startswith("Seen")
            ],
            strict=True,
        ):
            if stop.landmark is None:
                said[stop.expected].add(line.rsplit(". ", 1)[1])
    assert said == {"turn": {"No landmark."}, "forward": {"No landmark."}}


def test_answers_are_short():
    decision = TASK.start(TASK.problem("train", 0))
    answer = json.loads(TASK.expert(decision))
    assert list(answer) == ["observation", "instruction", "steps", "action"]
    assert len(TASK.expert(decision)) < 200
    direct = build_task("navigation", options={"expert": "direct"})
    assert "steps" not in json.loads(direct.expert(direct.start(direct.problem("train", 0))))
