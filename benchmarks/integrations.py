"""What an integration costs beside `shiftgym.play`: the same scripted answers to the same problems, in the same run.

    python benchmarks/integrations.py [--episodes 10000] [--rounds 5]

Every way plays all problems once a round, from drawing a problem to its last verdict, and the ways take turns. Told are
median seconds of the processor. An integration goes through its problems one by one, so `play` one by one is what it is
compared with: it is to cost less than 10 % more. `play` side by side does the same work in another order, a step of all
episodes at a time, which is kinder to the processor's caches.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import gymnasium

import shiftgym.integrations.gymnasium
from shiftgym import play
from shiftgym.integrations.problems import Problems
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.walk import decisions

STUDIES = ("points-text", "navigation-text")
SPLIT = "id"
YARDSTICK = "play one by one"

gymnasium.register_envs(shiftgym.integrations.gymnasium)

Answers = Sequence[Sequence[str]]
"""Of each problem: a wrong answer and then the expert's, to every decision."""


def scripted(problems: Problems, episodes: int) -> Answers:
    task = problems.task
    return [
        [text for decision in decisions(task, task.problem(SPLIT, index)) for text in ("no", task.expert(decision))]
        for index in range(episodes)
    ]


def side_by_side(problems: Problems, answers: Answers) -> float:
    """Plays all episodes in one call; returns the sum of rewards."""
    task, given = problems.task, [iter(texts) for texts in answers]
    policy = ScriptedPolicy(lambda decision, _: next(given[decision.problem.index]))
    episodes = play(policy, task, [task.problem(SPLIT, index) for index in range(len(answers))])
    return sum(episode.reward for episode in episodes)


def one_by_one(problems: Problems, answers: Answers) -> float:
    task, total = problems.task, 0.0
    for index, texts in enumerate(answers):
        given = iter(texts)
        policy = ScriptedPolicy(lambda *_, given=given: next(given))
        (episode,) = play(policy, task, [task.problem(SPLIT, index)])
        total += episode.reward
    return total


def by_gymnasium(study: str, answers: Answers) -> float:
    env, total = gymnasium.make(f"shiftgym/{study}-v0"), 0.0
    for index, texts in enumerate(answers):
        env.reset(options={"split": SPLIT, "index": index})
        for text in texts:
            _, reward, terminated, _, _ = env.step(text)
            total += float(reward)
        assert terminated
    return total


def seconds(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median seconds of the processor of each way; all must earn the same rewards."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        earned = []
        for name, way in ways.items():
            begun = time.process_time()
            earned.append(round(way(), 6))
            taken[name].append(time.process_time() - begun)
        assert len(set(earned)) == 1, earned
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for study in STUDIES:
        problems = Problems(study)
        answers = scripted(problems, asked.episodes)
        ways = {
            YARDSTICK: partial(one_by_one, problems, answers),
            "play side by side": partial(side_by_side, problems, answers),
            "gymnasium": partial(by_gymnasium, study, answers),
        }
        print(f"{study}: {asked.episodes} episodes, {sum(map(len, answers))} answers")
        told = seconds(ways, asked.rounds)
        for name, taken in told.items():
            print(f"  {name:20}{taken:8.3f} s  {taken / told[YARDSTICK] - 1:+7.1%}")


if __name__ == "__main__":
    main()
