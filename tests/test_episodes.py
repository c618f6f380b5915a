"""Sequential revision, the one loop."""

import json
from dataclasses import dataclass

import pytest

from shiftgym.episodes import TRY_AGAIN, play
from shiftgym.messages import user
from shiftgym.policies.base import Answer
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.registry import build_task
from shiftgym.verdicts import Verdict

TASK = build_task("points")
HANDS = [TASK.problem("train", index) for index in range(3)]


def right_at(attempt):
    """Answers right at that attempt (from 1), wrong before."""
    return ScriptedPolicy(
        lambda decision, messages: TASK.expert(decision) if len(messages) == 2 * attempt - 1 else '{"formula": "1"}'
    )


@pytest.mark.parametrize("limit", [1, 3, 5, 10, 17])
def test_exactly_limit_answers_are_judged(limit):
    for episode in play(right_at(10**6), TASK, HANDS, limit=limit):
        rewards = episode.decisions[0].rewards
        assert len(rewards) == limit
        assert not episode.success
        assert rewards == [-2.0] * (limit - 1) + [-3.0], "the terminal penalty falls once, on the last attempt"
        assert episode.reward == -2 * limit - 1
    for attempt in (1, limit, limit + 1):
        episode = play(right_at(attempt), TASK, HANDS[:1], limit=limit)[0]
        assert episode.success == (attempt <= limit)
        if episode.success:
            assert episode.decisions[0].rewards == [-2.0] * (attempt - 1) + [5.0]


def test_the_limit_is_the_tasks_own_unless_given():
    assert len(play(right_at(99), TASK, HANDS)[0].decisions[0].attempts) == TASK.limit == 5


@pytest.mark.parametrize("feedback", [True, False])
def test_feedback_is_shown_or_only_that_the_answer_failed(feedback):
    conversations = []
    policy = ScriptedPolicy(lambda decision, messages: conversations.append(list(messages)) or '{"formula": "1"}')
    episode = play(policy, TASK, HANDS[:1], limit=3, feedback=feedback)[0]
    verdict = episode.decisions[0].attempts[0].verdict
    wanted = verdict.feedback if feedback else TRY_AGAIN
    last = conversations[-1]
    assert [message["content"] for message in last[2::2]] == [wanted, wanted]
    assert [message["content"] for message in last[1::2]] == ['{"formula": "1"}'] * 2
    assert len(conversations) == 3, "nothing is asked after the last judged answer"


def test_a_record_is_enough_to_judge_every_attempt_again():
    policy = ScriptedPolicy(["no", '{"formula": "1+1"}'])
    for episode in play(policy, TASK, HANDS, limit=2):
        record = json.loads(json.dumps(episode.record()))
        decision = TASK.start(TASK.problem(record["problem"]["split"], record["problem"]["index"]))
        (recorded,) = record["decisions"]
        assert recorded["prompt"] == decision.prompt
        for attempt in recorded["attempts"]:
            verdict = decision.judge(attempt["answer"])
            assert (verdict.outcome, verdict.reward) == (attempt["outcome"], attempt["reward"])
        assert record["schema"] == 1
        assert record["reward"] == episode.reward == -3 - 2 - 1


@dataclass(frozen=True)
class Sum:
    split: str
    index: int
    parts: int


@dataclass(frozen=True)
class Step:
    """Wants the number of the step."""

    problem: Sum
    number: int = 0

    @property
    def prompt(self):
        return [user(f"step {self.number}")]

    def judge(self, answer):
        right = answer == str(self.number)
        return Verdict("right" if right else "wrong", 1.0 if right else -1.0, "no" * (not right), right)

    def next(self):
        return Step(self.problem, self.number + 1) if self.number + 1 < self.problem.parts else None


class Stairs:
    """A task of several decisions; only what the loop needs."""

    limit = 2

    def start(self, problem):
        return Step(problem)


def test_a_problem_of_several_decisions():
    problems = [Sum("train", index, parts) for index, parts in enumerate((1, 3, 4))]

    def answer(decision, messages):
        if decision.problem.index == 2 and decision.number == 2:
            return "lost"
        return str(decision.number) if len(messages) > 1 or decision.number != 1 else "second try"

    one, three, lost = play(ScriptedPolicy(answer), Stairs(), problems)
    assert [len(record.attempts) for record in one.decisions] == [1]
    assert [len(record.attempts) for record in three.decisions] == [1, 2, 1]
    assert [len(record.attempts) for record in lost.decisions] == [1, 2, 2]
    assert (one.success, three.success, lost.success) == (True, True, False)
    assert (one.reward, three.reward, lost.reward) == (1.0, 1 + (-1 + 1) + 1, 1 + 0 + (-1 - 1 - 1))


class Recorder:
    """Notes what the loop hands to a policy."""

    def __init__(self):
        self.started, self.replies = [], []

    def start(self, decisions, noise):
        self.started.append(([d.number for d in decisions], [list(names) for names in noise]))
        self._decisions = decisions
        return self

    def reply(self, rows, messages):
        self.replies.append((list(rows), [list(m) for m in messages]))
        solved = len(self.replies) % 2 == 0
        return [Answer(str(self._decisions[row].number) if solved or row == 0 else "?", 1, "end") for row in rows]

    def transcripts(self):
        return None


def test_only_open_rows_are_asked_again_and_noise_is_named_by_what_is_answered():
    policy = Recorder()
    play(policy, Stairs(), [Sum("train", index, 2) for index in range(3)], noise=[["a"], ["b"], ["c", 7]])
    assert policy.started == [
        ([0, 0, 0], [["a", 0], ["b", 0], ["c", 7, 0]]),
        ([1, 1, 1], [["a", 1], ["b", 1], ["c", 7, 1]]),
    ]
    assert [rows for rows, _ in policy.replies] == [[0, 1, 2], [1, 2], [0, 1, 2], [1, 2]]
    assert policy.replies[0][1] == [[], [], []]
    assert policy.replies[1][1] == [[user("no")], [user("no")]]


@pytest.mark.parametrize("ahead", [False, True])
def test_by_default_noise_is_named_by_the_problem_and_how_often_it_came_before(ahead):
    policy = Recorder()
    play(policy, Stairs(), [Sum("train", index, 2) for index in (4, 5, 4)], ahead=ahead)
    named = [names for _, started in policy.started for names in started]
    expected = [["train", index, sample, depth] for index, sample in ((4, 0), (5, 0), (4, 1)) for depth in (0, 1)]
    assert sorted(named) == sorted(expected)


def test_only_one_decision_of_each_problem():
    policy = Recorder()
    problems = [Sum("train", index, 3) for index in (4, 5, 4)]
    episodes = play(policy, Stairs(), problems, only=[2, 0, 1])
    assert policy.started == [([2, 0, 1], [["train", 4, 0, 2], ["train", 5, 0, 0], ["train", 4, 1, 1]])]
    assert [len(episode.decisions) for episode in episodes] == [1, 1, 1]


def test_nothing_to_play():
    assert play(ScriptedPolicy([""]), TASK, []) == []
