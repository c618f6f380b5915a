"""How many decisions are answered at the same time follows from the memory that is free, and no outcome from that."""

from pathlib import Path
from typing import Any

import pytest

from shiftgym.evaluation.evaluate import evaluate
from shiftgym.models import at_once
from shiftgym.models.at_once import MOST, decisions_at_once
from shiftgym.models.generation.buffers import bucket_rows
from shiftgym.models.generation.policy import model_policy
from shiftgym.models.loading.load import load_policy
from shiftgym.policies.base import Policy
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task


@pytest.fixture
def task() -> Task:
    return build_task("points", options={"limit": 2})


@pytest.fixture
def policy(tiny_points: Path) -> Policy:
    return model_policy(*load_policy(str(tiny_points)), temperature=1.0, max_new_tokens=8, seed=0)


def free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(at_once, "free_memory", lambda _: size)


def test_on_a_cpu_and_without_a_model_nobody_knows(task: Task, policy: Policy) -> None:
    for one in (policy, ExpertPolicy(task)):
        assert decisions_at_once(one, task, task.problem("train", 0)) is None


def test_it_grows_with_free_memory_and_falls_with_longer_conversations(
    task: Task, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for size in (1, 2**22, 2**23, 2**50):
        free(monkeypatch, size)
        found.append(decisions_at_once(policy, task, task.problem("train", 0)))
    assert found[0] == 1
    assert found[3] == MOST
    assert 1 < (found[1] or 0) < (found[2] or 0)
    assert all(bucket_rows(count or 0) == count for count in found[1:]), "rows that are computed are answered"
    free(monkeypatch, 2**23)
    longer = decisions_at_once(policy, task, task.problem("train", 0), attempts=9)
    assert (longer or 0) < (found[2] or 0)


@pytest.mark.parametrize("size", [1, 2**22, 2**26])
def test_no_outcome_of_an_evaluation_depends_on_it(
    task: Task, tiny_points: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    asked: dict[str, Any] = {"splits": ["train"], "problems": 6, "max_new_tokens": 8, "samples": 2}
    model = load_policy(str(tiny_points))
    whole = evaluate(model, task, **asked)
    free(monkeypatch, size)
    assert evaluate(model, task, **asked).rows == whole.rows
