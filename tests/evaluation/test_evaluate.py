"""One row a problem, the same problems for all, and a bounded sample of episodes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import SAMPLE, Evaluation, evaluate
from shiftgym.evaluation.statistics import wilson
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.loading.load import load_policy
from shiftgym.placement import Placement
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
        "cut": 0,
        "empty": 0,
        "too_long": 0,
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


@pytest.fixture(scope="module")
def sampler() -> ModelPolicy:
    return ModelPolicy(*load_policy("points-0"), temperature=1.0, max_new_tokens=64, seed=5)


def sampled(policy: ModelPolicy, task: Task, splits: list[str], **settings: int) -> list[dict[str, Any]]:
    found = evaluate(
        lambda _: policy, task, splits=splits, problems=10, decodings=["sampled"], origin=ORIGIN, **settings
    )
    return found.rows


def test_neither_batch_size_nor_other_splits_change_an_outcome(task: Task, sampler: ModelPolicy) -> None:
    whole = sampled(sampler, task, ["train", "rule_ood"], batch=128)
    assert sampled(sampler, task, ["train", "rule_ood"], batch=7) == whole
    assert sampled(sampler, task, ["rule_ood"]) == [row for row in whole if row["split"] == "rule_ood"]
    assert 0 < sum(row["success"] for row in whole) < len(whole)


def test_a_row_holds_the_mean_of_several_answers(task: Task, sampler: ModelPolicy) -> None:
    one, three = (sampled(sampler, task, ["train"], samples=samples) for samples in (1, 3))
    assert any(0 < row["success_1"] < 1 for row in three)
    for single, several in zip(one, three, strict=True):
        rights = [decision["right"] for decision in several["decisions"]]
        assert len(rights) == 3
        assert several["success"] == sum(right > 0 for right in rights) / 3
        assert several["success_1"] == sum(right == 1 for right in rights) / 3
        assert single["decisions"] == several["decisions"][:1]


def test_the_sample_of_episodes_is_bounded(task: Task) -> None:
    episodes = run(ExpertPolicy(task), task, problems=SAMPLE + 3).episodes
    assert len(episodes) == 2 * 2 * SAMPLE
    assert episodes[0]["branch"] == "x"
    assert episodes[0]["decisions"][0]["attempts"][0]["outcome"] == "correct"


def test_names_and_defaults_suffice() -> None:
    found = evaluate("expert", problems=2)
    assert [(row["decoding"], row["split"], row["problem"]) for row in found.rows] == [
        (decoding, "train", problem) for decoding in ("sampled", "greedy") for problem in range(2)
    ]
    assert all(row["success"] for row in found.rows)


def test_a_model_is_sampled_and_greedy(task: Task, sampler: ModelPolicy) -> None:
    pair = (sampler.model, sampler.chat_format)
    found = evaluate(pair, task, splits=["train"], problems=10, max_new_tokens=64, seed=5, origin=ORIGIN)
    greedy = ModelPolicy(*pair, temperature=0.0, max_new_tokens=64, seed=0)
    policies = {"sampled": sampler, "greedy": greedy}
    assert found == evaluate(policies.__getitem__, task, splits=["train"], problems=10, origin=ORIGIN)


def test_numbers_come_out_of_an_evaluation(task: Task) -> None:
    expert = ExpertPolicy(task)
    half = ScriptedPolicy(lambda decision, _: task.expert(decision) if decision.problem.index % 2 else "nothing")
    found = run(half, task, problems=6)
    assert found.values("success", split="rule_ood").tolist() == [[0, 1, 0, 1, 0, 1]]
    rate, expected = found.estimate("success", split="rule_ood", decoding="greedy"), wilson(3, 6)
    assert (rate.value, rate.low, rate.high, rate.problems) == (0.5, expected.low, expected.high, 6)
    assert np.isnan(found.values("recognised", split="train")).all()
    assert run(expert, task).estimate("reward", split="train").value == 5
    assert "rule_ood        greedy      50 [19, 81]" in repr(found)


@pytest.mark.parametrize(
    ("measure", "split", "message"),
    [
        ("succes", "train", "unknown measure 'succes'; did you mean 'success'?"),
        ("decisions", "train", "unknown measure 'decisions'"),
        ("success", "rule_odd", "nothing was evaluated on rule_odd sampled; did you mean 'rule_ood sampled'?"),
        ("recognised", "train", "recognised applies to no answer on train sampled"),
    ],
)
def test_a_number_that_is_not_there_is_one_clear_line(task: Task, measure: str, split: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        run(ExpertPolicy(task), task).estimate(measure, split=split)


def test_an_unknown_split_is_refused(task: Task) -> None:
    with pytest.raises(ConfigError, match="unknown split 'rule_odd'.*did you mean 'rule_ood'"):
        evaluate("expert", task, splits=["rule_odd"])


def test_a_batch_that_runs_out_of_memory_is_split_and_no_row_differs(task: Task, tiny_points: Path) -> None:
    asked: dict[str, Any] = {"splits": ["train", "rule_ood"], "problems": 4, "samples": 2, "max_new_tokens": 6}
    model, chat_format = load_policy(str(tiny_points))
    whole = evaluate((model, chat_format), task, **asked)
    failures: list[int] = []

    def check(_module: Any, arguments: Any, keywords: Any) -> None:
        rows = keywords["input_ids"].shape[0]
        if rows > 3:
            failures.append(rows)
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    model.base_model.register_forward_pre_hook(check, with_kwargs=True)
    split = evaluate((model, chat_format), task, **asked)
    assert split.rows == whole.rows
    assert split.episodes == whole.episodes
    assert 0 < len(failures) <= 4, "a smaller batch is remembered"


def test_a_model_given_by_name_runs_where_it_is_placed() -> None:
    asked = {"problems": 2, "decodings": ["greedy"]}
    short = evaluate("points-0", placement=Placement(dtype="bfloat16", attention="eager"), **asked)
    assert len(short.rows) == 2
    with pytest.raises(ConfigError, match="^device 'cuda': torch .* finds no such GPU"):
        evaluate("points-0", placement=Placement(device="cuda"), **asked)
