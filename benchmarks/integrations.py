"""What an integration costs beside `shiftgym.play`: the same scripted answers to the same problems, in the same run.

    python benchmarks/integrations.py [--episodes 10000] [--rounds 5]

Each way plays every problem of its list, from drawing it to the last verdict, once a round and in turns; what is told is
the median over rounds. An integration is to cost less than 10 % more than `play`.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import gymnasium

import shiftgym.integrations.gymnasium  # registers the ids
from shiftgym import play
from shiftgym.integrations.problems import Problems
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.walk import decisions

STUDIES = ("points-text", "navigation-text")
SPLIT = "id"

Answers = Sequence[Sequence[str]]
"""Of each problem: a wrong answer and then the expert's, to every decision."""


def scripted(problems: Problems, episodes: int) -> Answers:
    task = problems.task
    return [
        [text for decision in decisions(task, task.problem(SPLIT, index)) for text in ("no", task.expert(decision))]
        for index in range(episodes)
    ]


def by_play(problems: Problems, answers: Answers) -> float:
    """Plays all episodes side by side; returns the sum of rewards."""
    task, given = problems.task, [iter(texts) for texts in answers]
    policy = ScriptedPolicy(lambda decision, _: next(given[decision.problem.index]))
    episodes = play(policy, task, [task.problem(SPLIT, index) for index in range(len(answers))])
    return sum(episode.reward for episode in episodes)


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
    """Median seconds of each way; they must earn the same rewards."""
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
        ways = {"play": lambda: by_play(problems, answers), "gymnasium": lambda: by_gymnasium(study, answers)}
        told = seconds(ways, asked.rounds)
        print(f"{study}, {asked.episodes} episodes, {sum(map(len, answers))} answers")
        for name, each in told.items():
            print(f"  {name:12}{each:8.3f} s  {each / told['play'] - 1:+.1%}")


if __name__ == "__main__":
    main()
