"""One row a problem, the same problems for all, and a bounded sample of episodes."""

import pytest

from shiftgym.evaluation import evaluate as module
from shiftgym.evaluation.evaluate import SAMPLE, Evaluation, evaluate
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task

ORIGIN = {"branch": "x", "seed": 1, "step": 2, "fraction": 0.5, "flops": 3, "flops_paper": 4.0}


@pytest.fixture(scope="module")
def task() -> Task:
    shifted = {"rule": "faces_as_11_12_13", "hands": "test", "faces": True}
    return build_task("points", options={"limit": 2}, splits={"train": {}, "rule_ood": shifted})


def run(policy: ExpertPolicy | ScriptedPolicy, task: Task, problems: int = 3) -> Evaluation:
    return evaluate(
        lambda _: policy,
        task,
        splits=["train", "rule_ood"],
        problems=problems,
        decodings=["sampled", "greedy"],
        origin=ORIGIN,
    )


def test_rows_are_in_order_and_carry_their_origin(task: Task) -> None:
    rows = run(ExpertPolicy(task), task).rows
    assert [(row["decoding"], row["split"], row["problem"]) for row in rows] == [
        (decoding, split, problem)
        for decoding in ("sampled", "greedy")
        for split in ("train", "rule_ood")
        for problem in range(3)
    ]
    assert all({key: row[key] for key in ORIGIN} == ORIGIN for row in rows)


def test_an_expert_is_right_at_once(task: Task) -> None:
    row = run(ExpertPolicy(task), task).rows[0]
    assert {key: value for key, value in row.items() if key not in ORIGIN} == {
        "split": "train",
        "decoding": "sampled",
        "problem": 0,
        "success_1": 1,
        "success": 1,
        "whole": True,
        "per_step": 1,
        "attempts": 1,
        "reward": 5.0,
        "valid": 1,
        "translated": 1,
        "perseverated": row["perseverated"],
        "recognised": None,
        "tokens": 0,
        "decisions": [{"outcomes": ["correct"], "right": 1, "style": "worked", "kinds": []}],
    }


def test_the_diagnosis_is_that_of_the_first_answer(task: Task) -> None:
    expert = ExpertPolicy(task)
    late = ScriptedPolicy(
        lambda decision, messages: task.expert(decision) if len(messages) > 1 else '{"formula": "1+1"}'
    )
    row = run(late, task).rows[0]
    assert (row["success_1"], row["success"], row["attempts"]) == (False, True, 2)
    (decision,), (experts,) = row["decisions"], run(expert, task).rows[0]["decisions"]
    assert (decision["outcomes"], decision["right"]) == (["wrong_numbers", "correct"], 2)
    assert decision["style"] != experts["style"]


def test_attempts_run_out(task: Task) -> None:
    row = run(ScriptedPolicy(["nothing"]), task).rows[0]
    assert (row["success"], row["attempts"], row["valid"], row["reward"]) == (False, 2, False, -7.0)


def test_batches_do_not_show(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(ExpertPolicy(task), task)
    monkeypatch.setattr(module, "BATCH", 4)
    assert run(ExpertPolicy(task), task) == whole


def test_the_sample_of_episodes_is_bounded(task: Task) -> None:
    episodes = run(ExpertPolicy(task), task, problems=SAMPLE + 3).episodes
    assert len(episodes) == 2 * 2 * SAMPLE
    assert episodes[0]["branch"] == "x"
    assert episodes[0]["decisions"][0]["attempts"][0]["outcome"] == "correct"
