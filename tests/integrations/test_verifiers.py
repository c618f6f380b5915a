"""verifiers plays, judges and counts as shiftgym does: every text of the shared table, through its own rollouts."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("verifiers")

import verifiers.v1 as vf
from tests.integrations.parity import STUDIES, cases, overrides, problems
from verifiers.v1.env import RunSlot

PACKAGE = Path(__file__).parents[2] / "examples/integrations/verifiers_points"


@pytest.fixture(autouse=True)
def _installed(monkeypatch, tmp_path):
    """The environment of the example, as if it were installed, and no home of whoever runs the tests."""
    monkeypatch.syspath_prepend(str(PACKAGE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PACKAGE), *sys.path]))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def environment(**taskset):
    """The environment of the example with that configuration of its taskset."""
    return vf.load_environment(vf.resolve_env_config({"taskset": {"id": "shiftgym-points", **taskset}}))


def rolled_out(env, tasks, url, model=lambda task: "scripted"):
    """The trace of one rollout of each task, all at the same time; `model` names the model that is asked for a task."""
    client = vf.EvalClientConfig(base_url=url, api_key_var="NO_KEY")

    async def run():
        async with env.serving():
            contexts = [
                vf.ModelContext(client=client, model=model(task), sampling=vf.SamplingConfig()) for task in tasks
            ]
            slots = [env.run_slot(RunSlot(task), ctx) for task, ctx in zip(tasks, contexts, strict=True)]
            return await asyncio.gather(*slots)

    episodes = asyncio.run(run())
    assert all(len(episode.traces) == 1 for episode in episodes), [episode.errors for episode in episodes]
    return [episode.traces[0] for episode in episodes]


def reply(text, finish="stop"):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": "scripted", "choices": [choice]}


def attempts(trace):
    return [attempt for decision in trace.info["episode"]["decisions"] for attempt in decision["attempts"]]


@pytest.mark.parametrize("study", STUDIES)
def test_every_text_is_judged_as_everywhere(study, serve):
    for split in ("id", "rule_ood"):
        expected = [case for case in cases(study) if case.split == split]
        left = {str(case.index): iter(case.answers) for case in expected}
        server = serve(lambda _, body, left=left: reply(next(left[body["model"]])))
        env = environment(study=study, overrides=overrides(study), split=split, problems=len(expected))
        traces = rolled_out(env, list(env.taskset), server.url, model=lambda task: str(task.data.index))
        for case, trace in zip(expected, traces, strict=True):
            assert trace.ok, trace.errors
            assert next(left[str(case.index)], None) is None, "every answer was asked for"
            given = attempts(trace)
            assert [attempt["answer"] for attempt in given] == list(case.answers)
            assert [each["outcome"] for each in given] == [each.outcome for each in case.judged]
            assert [each["feedback"] for each in given] == [each.feedback for each in case.judged]
            assert trace.reward == pytest.approx(sum(each.reward for each in case.judged))
            assert trace.metrics["success"] == case.success
            assert trace.metrics["attempts"] == len(case.answers) == trace.num_turns
            assert sum(value for name, value in trace.metrics.items() if name.startswith("outcome_")) == len(given)
            assert trace.num_branches == len(trace.info["episode"]["decisions"]), "a conversation for each decision"
        shown = {type(body["messages"][0]["content"]) for body in server.bodies}
        assert shown == {list if "vision" in study else str}


@pytest.fixture
def expert():
    """The script of an endpoint that answers as the expert does, and wrongly at first on odd problems of points."""
    source = problems("points-text")
    task = source.task
    right = {}
    for split in ("train", "id"):
        for index in range(4):
            session = source.session(split, index)
            right[session.messages[0]["content"]] = (index, task.expert(session.episode.decisions[0].decision))

    def script(_, body):
        index, answer = right[body["messages"][0]["content"]]
        return reply("I do not know." if index % 2 and len(body["messages"]) == 1 else answer)

    return script


def vf_command(name, *options, cwd):
    """Run a command of verifiers as a user does."""
    command = [str(Path(sys.executable).with_name(name)), "shiftgym-points", *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_their_checker_passes_and_a_split_that_is_not_there_is_one_line(tmp_path):
    done = vf_command("vf-validate", "--runtime.type", "subprocess", "--taskset.problems", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (summary,) = tmp_path.glob("outputs/*/summary.json")
    found = json.loads(summary.read_text())
    assert found["valid_rate"] == 1 and found["checks"]["gold"]["valid"] == found["checks"]["noop"]["valid"] == 3


def test_vf_eval_gives_our_rewards_and_uploads_nothing(tmp_path, serve, expert):
    server = serve(expert)
    options = ["--no-push", "--no-rich", "-n", "4", "--env.taskset.split", "id", "--model", "expert"]
    done = vf_command("vf-eval", *options, "--client.base-url", server.url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("outputs/*/traces.jsonl")
    traces = [trace for line in file.read_text().splitlines() for trace in json.loads(line)["traces"]]
    assert len(traces) == 4
    for trace in traces:
        odd = trace["task"]["data"]["index"] % 2
        record = trace["info"]["episode"]
        assert record["success"] and trace["metrics"]["success"] == 1
        assert trace["metrics"]["attempts"] == len(record["decisions"][0]["attempts"]) == 1 + odd
        assert trace["metrics"]["valid"] == 1 - odd
        assert trace["rewards"]["reward"]["score"] == record["reward"]
