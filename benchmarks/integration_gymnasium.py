"""What environments of Gymnasium cost beside `shiftgym.play`: scripted answers to the same problems, without a model.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/integration_gymnasium.py [--episodes 10000]

Both build each problem from its split and index, have the same answers judged (a wrong one and then a right one to each
decision), and add up the rewards. In either order of work:

* one by one: an episode is played to its end before the next begins.
* side by side: a batch of episodes begins, then all are answered once, and so on.

Both take turns by batches, and the median of the batches' ratios counts, so that other programs disturb little. Seconds
are those of the processor.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import gymnasium

import shiftgym.integrations.gymnasium
from shiftgym import play
from shiftgym.integrations.problems import Problems
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.walk import decisions

gymnasium.register_envs(shiftgym.integrations.gymnasium)

PROMISED = 1.1
STUDIES = ("points-text", "navigation-text")
SPLIT = "id"
BATCH = 100


class Sides:
    """All ways to give the same answers to the same problems of a study."""

    def __init__(self, study: str, episodes: int) -> None:
        self.task = Problems(study).task
        self.envs = [gymnasium.make(f"shiftgym/{study}-v0") for _ in range(BATCH)]
        self.answers = [list(self._scripted(index)) for index in range(episodes)]

    def _scripted(self, index: int) -> Iterator[str]:
        for decision in decisions(self.task, self.task.problem(SPLIT, index)):
            yield from ("no", self.task.expert(decision))

    def played_side_by_side(self, batch: range) -> float:
        given = {index: iter(self.answers[index]) for index in batch}
        policy = ScriptedPolicy(lambda decision, _: next(given[decision.problem.index]))
        problems = [self.task.problem(SPLIT, index) for index in batch]
        return sum(episode.reward for episode in play(policy, self.task, problems))

    def played_one_by_one(self, batch: range) -> float:
        return sum(self.played_side_by_side(range(index, index + 1)) for index in batch)

    def envs_side_by_side(self, batch: range) -> float:
        open_now = [(env, iter(self.answers[index])) for env, index in zip(self.envs, batch, strict=False)]
        for (env, _), index in zip(open_now, batch, strict=True):
            self._reset(env, index)
        total = 0.0
        while open_now:
            steps = [env.step(next(texts)) for env, texts in open_now]
            total += sum(float(step[1]) for step in steps)
            open_now = [each for each, step in zip(open_now, steps, strict=True) if not step[2]]
        return total

    def env_one_by_one(self, batch: range) -> float:
        env, total = self.envs[0], 0.0
        for index in batch:
            self._reset(env, index)
            for text in self.answers[index]:
                total += float(env.step(text)[1])
        return total

    @staticmethod
    def _reset(env: gymnasium.Env[Any, str], index: int) -> None:
        env.reset(options={"split": SPLIT, "index": index})


def seconds(work: Callable[[range], float], batch: range) -> tuple[float, float]:
    """Processor time of some work, and the rewards that it found."""
    begun = time.process_time()
    found = work(batch)
    return time.process_time() - begun, round(found, 6)


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of Gymnasium's environments over shiftgym.play.")
    parser.add_argument("--episodes", type=int, default=10_000)
    count = parser.parse_args().episodes
    for study in STUDIES:
        sides = Sides(study, count)
        for order, beside, through in (
            ("one by one", sides.played_one_by_one, sides.env_one_by_one),
            ("side by side", sides.played_side_by_side, sides.envs_side_by_side),
        ):
            ratios, spent = [], [0.0, 0.0]
            for start in range(0, count, BATCH):
                batch = range(start, min(start + BATCH, count))
                (bare, wanted), (taken, found) = seconds(beside, batch), seconds(through, batch)
                assert found == wanted, f"rewards {found} and {wanted}"
                ratios.append(taken / bare)
                spent = [spent[0] + bare, spent[1] + taken]
            ratio = median(ratios)
            told = "" if ratio < PROMISED else f"   over the promised {PROMISED}"
            print(f"{study}, {count} episodes {order}: play {spent[0]:.2f} s, ", end="")
            print(f"Gymnasium {spent[1]:.2f} s, {ratio:.2f}{told}", flush=True)


if __name__ == "__main__":
    main()
