"""verifiers plays, judges and counts as shiftgym does: every text of the shared table, through its own rollouts."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("verifiers")

import verifiers.v1 as vf
from tests.integrations.parity import STUDIES, cases, overrides
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


def rollout(url, **settings):
    """The trace of one rollout of points, where the environment has these settings besides its taskset."""
    env = vf.load_environment(vf.resolve_env_config({"taskset": {"id": "shiftgym-points", "problems": 1}, **settings}))
    (trace,) = rolled_out(env, list(env.taskset), url)
    return trace


def test_a_conversation_that_does_not_fit_ends_as_in_play(serve):
    told = {"error": {"message": "This model's maximum context length is 4096 tokens", "code": 400}}
    server = serve(lambda number, _: reply("I do not know.", "length") if number == 0 else (400, told))
    trace = rollout(server.url)
    assert trace.ok
    assert [(attempt["answer"], attempt["stop"]) for attempt in attempts(trace)] == [
        ("I do not know.", "length"),
        ("", "too_long"),
    ]
    assert trace.reward == trace.info["episode"]["reward"] and trace.metrics["success"] == 0


def test_a_limit_of_verifiers_ends_the_episode_and_what_was_played_counts(serve):
    server = serve(lambda *_: reply("I do not know."))
    trace = rollout(server.url, agent={"max_turns": 2})
    assert trace.ok and trace.stop_condition == "max_turns" and len(server.requests) == 2
    assert trace.metrics["attempts"] == 2 and trace.metrics["success"] == 0
    assert trace.reward == sum(attempt["reward"] for attempt in attempts(trace)), "nobody has run out of attempts"


def test_a_broken_endpoint_is_an_error_and_no_answer(serve):
    server = serve(lambda *_: (401, {"error": {"message": "no such key"}}))
    trace = rollout(server.url)
    assert not trace.ok and trace.last_error.type == "ProviderError" and "no such key" in trace.last_error.message
    assert trace.rewards == {}


def test_a_system_prompt_comes_first(serve, tmp_path):
    server = serve(lambda *_: reply("I do not know."))
    told = tmp_path / "system.txt"
    told.write_text("Answer briefly.")
    env = environment(problems=1, overrides=["task.limit=2"], system_prompt=told)
    rolled_out(env, list(env.taskset), server.url)
    assert [[message["role"] for message in body["messages"]] for body in server.bodies] == [
        ["system", "user"],
        ["system", "user", "assistant", "user"],
    ]


def test_another_harness_is_an_error_and_no_score():
    task = next(iter(environment(problems=1).taskset))
    seen = vf.TraceTask(type="ShiftTask", data=task.data)
    trace = vf.Trace(task=seen, agent=vf.AgentInfo(config=vf.AgentConfig()))
    asyncio.run(task.score(trace))
    assert trace.reward == 0, "nothing was answered"
    trace.nodes.append(vf.MessageNode(message=vf.AssistantMessage(content="24"), sampled=True))
    with pytest.raises(vf.TaskError, match="leave out env.agent.harness"):
        asyncio.run(task.score(trace))


def vf_validate(*options, cwd):
    """Run the command as a user does."""
    command = [str(Path(sys.executable).with_name("vf-validate")), "shiftgym-points", *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_their_checker_passes(tmp_path):
    done = vf_validate("--runtime.type", "subprocess", "--taskset.problems", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (summary,) = tmp_path.glob("outputs/*/summary.json")
    found = json.loads(summary.read_text())
    assert found["valid_rate"] == 1 and found["checks"]["gold"]["valid"] == found["checks"]["noop"]["valid"] == 3


def test_a_split_that_is_not_there_is_said_in_one_line():
    with pytest.raises(ValueError, match="unknown split 'exam'; known are train, id, rule_ood"):
        environment(split="exam")


def test_the_sources_of_the_training_file_are_environments():
    told = tomllib.loads((PACKAGE / "prime_rl.toml").read_text())["orchestrator"]
    envs = {}
    for source in told["train"]["source"] + told["eval"]["source"]:
        envs[source["name"]] = vf.load_environment(vf.resolve_env_config(source["env"]))
    assert {name: env.taskset.config.split for name, env in envs.items()} == {
        "points": "train",
        "id": "id",
        "rule_ood": "rule_ood",
    }
    assert all(env.config.agent.runtime.type == "subprocess" for env in envs.values())
    first = next(iter(envs["points"].taskset))
    assert first.hooks("reward")[0]._vf_weight * 5 == 1


@pytest.mark.slow
def test_rolled_out_by_vf_eval_judged_by_compare(tmp_path, tiny_points, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(PACKAGE.parent))
    import verifiers_eval

    monkeypatch.setattr(verifiers_eval, "SPLITS", ("rule_ood",))
    assert not verifiers_eval.main(["points-0", str(tiny_points)], 3, tmp_path)
    told = capsys.readouterr().out
    assert "6 of 6 problems have the same success, attempts and reward." in told
    run = tmp_path / "verifiers/points-0-rule_ood"
    assert len((run / "traces.jsonl").read_text().splitlines()) == 3
    assert not json.loads((run / "configs/resolved/eval.json").read_text())["push"]
