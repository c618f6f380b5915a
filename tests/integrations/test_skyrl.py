"""SkyRL's environment tells of the shared table what every integration tells of it."""

import json

import pytest
from tests.integrations.parity import Judged, cases, problems

skyrl_gym = pytest.importorskip("skyrl_gym")

from shiftgym.integrations import skyrl  # noqa: E402, F401 (it registers the environment)
from shiftgym.integrations.rows import skyrl_rows  # noqa: E402


def made(row):
    """The environment as SkyRL's generator makes it of a row that was read from a file."""
    row = json.loads(json.dumps(row))
    prompt, name = row.pop("prompt"), row.pop("env_class")
    env = skyrl_gym.make(name, env_config={}, extras={**row, "max_turns": 1})
    return env, prompt


@pytest.mark.parametrize("study", ["points-text", "navigation-text"])
def test_the_shared_table(study):
    source = problems(study)
    for case in cases(study, by_decision=True):
        row = list(skyrl_rows(source, case.split, [case.index]))[case.decision]
        env, prompt = made(row)
        seen, told = env.init(prompt)
        assert seen == prompt
        assert told["decision"] == case.decision
        judged = []
        for text in case.answers:
            step = env.step(text)
            judged.append(Judged(step["metadata"]["outcome"], step["reward"], step["metadata"]["feedback"]))
            feedback = [{"role": "user", "content": step["metadata"]["feedback"]}]
            assert step["observations"] == ([] if step["done"] else feedback)
        assert tuple(judged) == case.judged
        assert step["done"]
        assert env.get_metrics() == {"solved": float(case.success), "attempts": len(case.answers)}
        assert env.turns == len(case.answers)


def test_metrics_are_averaged():
    ends = []
    for right in (True, False):
        env, _ = made(next(skyrl_rows(problems("points-text"), "id", [0])))
        source = problems("points-text")
        answer = source.task.expert(source.task.start(source.task.problem("id", 0))) if right else "no"
        while not env.step(answer)["done"]:
            pass
        ends.append(env.get_metrics())
    assert env.aggregate_metrics(ends) == pytest.approx({"solved": 0.5, "attempts": 2.0})
