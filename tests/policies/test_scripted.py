"""Policies without a model, played through the one loop."""

from shiftgym.episodes import play
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.registry import build_task

TASK = build_task("points", splits={"train": {}, "six": {"cards": 6}})


def test_a_list_answers_attempt_by_attempt_and_repeats_its_last():
    episode = play(ScriptedPolicy(["a", "b"]), TASK, [TASK.problem("train", 0)])[0]
    assert [attempt.answer for attempt in episode.decisions[0].attempts] == ["a", "b", "b", "b", "b"]


def test_a_function_sees_the_decision_and_the_whole_conversation():
    seen = []

    def answer(decision, messages):
        seen.append([message["role"] for message in messages])
        return TASK.expert(decision) if len(messages) > 3 else "not yet"

    episode = play(ScriptedPolicy(answer), TASK, [TASK.problem("train", 0)])[0]
    assert episode.success
    assert seen == [["user"], ["user", "assistant", "user"], ["user", "assistant", "user", "assistant", "user"]]
