"""What several ranks evaluate together is what one process evaluates. The ranks are played by one process in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from shiftgym.evaluation.evaluate import SAMPLE, evaluate
from shiftgym.evaluation.over_ranks import evaluate_over, probe_over
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task

ORIGIN = {"branch": "x", "seed": 1, "step": 2, "fraction": 0.5, "flops": 3, "flops_paper": 4.0}


@dataclass
class InTurn:
    """Ranks that one process plays one after the other."""

    count: int

    def spread(self, items: Sequence[Any], work: Callable[[Sequence[Any]], Sequence[Any]]) -> list[Any]:
        results: list[Any] = [None] * len(items)
        for rank in range(self.count):
            results[rank :: self.count] = work(items[rank :: self.count])
        return results


@pytest.fixture(scope="module")
def task() -> Task:
    shifted = {"rule": "faces_as_11_12_13", "hands": "test", "faces": True}
    return build_task("points", options={"limit": 2}, splits={"train": {}, "rule_ood": shifted})


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_rows_and_episodes_are_those_of_one_process(task: Task, count: int) -> None:
    policy, problems = ExpertPolicy(task), SAMPLE + 2
    asked: dict[str, Any] = {"splits": ["train", "rule_ood"], "problems": problems, "decodings": ["sampled", "greedy"]}
    alone = evaluate(lambda _: policy, task, origin=ORIGIN, **asked)
    together = evaluate_over(InTurn(count), lambda _: policy, task, samples=1, origin=ORIGIN, **asked)
    assert together.rows == alone.rows
    assert together.episodes == alone.episodes
    assert len(together.episodes) == 4 * SAMPLE < len(together.rows)


def test_probed_problems_are_in_the_order_of_one_process() -> None:
    shares = iter(
        [
            [{"split": "b", "index": 0}, {"split": "a", "index": 0}, {"split": "a", "index": 2}],
            [{"split": "b", "index": 1}, {"split": "a", "index": 1}],
        ]
    )
    probe = SimpleNamespace(start=SimpleNamespace(player=None), measure=lambda _: next(shares))
    found = [(row["split"], row["index"]) for row in probe_over(InTurn(2), probe, None)]
    assert found == [("b", 0), ("b", 1), ("a", 0), ("a", 1), ("a", 2)]
