"""A session is the same episode as `play` gives, and its verdicts are those of `shiftgym verify`."""

import json

import pytest
from PIL.Image import Image
from tests.integrations.parity import STUDIES, Judged, cases, problems

from shiftgym.episodes import play
from shiftgym.errors import ConfigError
from shiftgym.integrations.session import Session, images, in_parts
from shiftgym.policies.base import Answer
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.policies.text_chat import TextChat
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.verify import verify_line

RULES = {"id": "faces_as_ten", "rule_ood": "faces_as_11_12_13"}
"""Of the splits of points."""

HAND = build_task("points").problem("train", 0)


def verify_request(decision):
    """The line of `shiftgym verify` that says everything about a decision."""
    if hasattr(decision, "table"):
        table = decision.table
        modality = "vision" if table.vision else "text"
        told = {"task": "points", "modality": modality, "cards": list(table.ranks), "target": table.target}
        return {**told, "rule": RULES[decision.problem.split]}
    stop = decision.stop
    told = {"task": "navigation", "rule": decision.problem.rule, "heading": stop.heading, "expected": stop.expected}
    landmark = stop.landmark and stop.landmark.text
    return {**told, "next_heading": stop.next_heading, "at_intersection": stop.intersection, "landmark": landmark}


@pytest.mark.parametrize("by_decision", [False, True])
@pytest.mark.parametrize("study", STUDIES)
def test_a_session_is_the_episode_that_play_gives(study, by_decision):
    source = problems(study)
    ends = set()
    for case in cases(study, by_decision):
        session = source.session(case.split, case.index, decision=case.decision, pictures="url")
        told = []
        for text in case.answers:
            assert not session.done
            reward = session.step(text).reward
            told.append(Judged(session.verdict.outcome, reward, session.verdict.feedback))
        assert tuple(told) == case.judged
        assert session.done
        assert session.info["success"] == case.success
        assert session.reward == pytest.approx(sum(each.reward for each in case.judged))
        ends.add(case.success)
        if not by_decision:
            answers = iter(case.answers)
            policy = ScriptedPolicy(lambda *_, answers=answers: next(answers))
            (episode,) = play(policy, source.task, [source.task.problem(case.split, case.index)])
            assert session.episode.record() == episode.record()
    assert ends == {True, False}, "right, and out of attempts"


@pytest.mark.parametrize("study", STUDIES)
def test_the_table_is_judged_as_verify_judges_it(study):
    source = problems(study)
    for case in cases(study):
        session = source.session(case.split, case.index, pictures="url")
        for text, wanted in zip(case.answers, case.judged, strict=True):
            request = verify_request(session.episode.decisions[-1].decision)
            judged = verify_line(json.dumps({**request, "answer": text}))
            last = session.step(text).reward != judged["reward"]
            assert judged == {"outcome": wanted.outcome, "reward": wanted.reward + last, "feedback": wanted.feedback}


def test_the_conversation_is_what_a_policy_reads_in_play():
    read = []
    policy = ScriptedPolicy(lambda decision, messages: read.append([dict(each) for each in messages]) or "no")
    task = build_task("points", options={"limit": 3})
    play(policy, task, [HAND])
    session = Session(task, HAND)
    for messages in read:
        assert session.messages == messages
        step = session.step("no")
        assert step.messages == session.messages
    assert session.done and session.told == []
    assert session.messages[-1] == {"role": "assistant", "content": "no"}


def test_told_is_the_feedback_or_the_prompt_of_the_next_decision():
    source = problems("navigation-text")
    session = source.session("id", 0)
    assert session.told == session.messages
    session.step("no")
    assert session.told == [{"role": "user", "content": session.verdict.feedback}]
    assert session.number == 0
    session.step(source.task.expert(session.episode.decisions[-1].decision))
    assert session.number == 1
    assert session.told == session.messages and len(session.messages) == 1


def test_feedback_may_be_off():
    session = Session(build_task("points"), HAND, feedback=False)
    assert session.step("no").messages[-1]["content"] == "Try again."


def test_a_conversation_that_is_too_long_ends_its_decision_as_in_play():
    class TooLong:
        def start(self, decisions, noise):
            return TextChat(decisions, lambda dialogues: [Answer("", 0, "too_long") for _ in dialogues])

    task = build_task("points")
    (episode,) = play(TooLong(), task, [HAND])
    session = Session(task, HAND)
    assert session.step("", stop="too_long").done
    assert session.episode.record() == episode.record()


def test_pictures_are_images_or_addresses_or_left_out():
    forms = ("pil", "url", "none")
    image, text, bare = (problems("points-vision").session("id", 0, pictures=form) for form in forms)
    (told, shown), (_, named) = image.messages[0]["content"], text.messages[0]["content"]
    assert told["type"] == "text" and isinstance(shown["image"], Image) and shown["image"].mode == "RGB"
    assert named["image_url"]["url"].startswith("data:image/png;base64,")
    json.dumps(text.messages)
    assert bare.messages[0]["content"] == told["text"]


def test_pictures_are_found_in_messages_and_texts_become_parts():
    session = problems("points-vision").session("id", 0)
    session.step("no")
    (prompt, answer, told) = session.messages
    assert images(session.messages) == [prompt["content"][1]["image"]]
    assert images(session.told) == []
    text = [{"type": "text", "text": "no"}]
    assert in_parts(session.messages)[:2] == [prompt, {**answer, "content": text}]
    assert [part["text"] for part in in_parts(session.told)[0]["content"]] == [told["content"]]


def test_info_before_and_after_an_answer():
    session = Session(build_task("points"), HAND)
    place = {"split": "train", "index": 0, "decision": 0}
    unknown = dict.fromkeys(("outcome", "feedback", "correct"))
    assert session.info == {**unknown, **place, "attempts": 0, "success": False, "total_reward": 0}
    session.step("no")
    judged = {"outcome": "illegal", "feedback": session.verdict.feedback, "correct": False}
    assert session.info == {**judged, **place, "attempts": 1, "success": False, "total_reward": -3}


def test_what_cannot_be_asked():
    task = build_task("points")
    with pytest.raises(ConfigError, match="limit: 0 is no number of attempts; give 1 or more"):
        Session(task, HAND, 0)
    with pytest.raises(ConfigError, match="decision: train 0 has no decision 1, counted from 0"):
        Session(task, HAND, decision=1)
    session = Session(task, HAND, 1)
    for answer in (None, b"no", 3, ["no"]):
        with pytest.raises(ConfigError, match="step: an answer is a text, not "):
            session.step(answer)
    assert session.info["attempts"] == 0
    session.step("no")
    with pytest.raises(ValueError, match="the episode has ended"):
        session.step("no")
