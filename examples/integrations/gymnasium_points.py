"""An agent that learns from reward alone in an environment of Gymnasium, and what a shift shows about it.

    python examples/integrations/gymnasium_points.py

It tries two readings of the face cards and keeps the one that earns more. It never reads the rule in the prompt, so it
solves every hand under the rule it was trained on, also hands it never saw, and none under another rule.
"""

import argparse
import json
import random
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

import gymnasium

import shiftgym.integrations.gymnasium

gymnasium.register_envs(shiftgym.integrations.gymnasium)

READINGS = {"as ten": {"J": 10, "Q": 10, "K": 10}, "in order": {"J": 11, "Q": 12, "K": 13}}
EXPLORED = 0.1
"""Share of episodes in which a reading is tried at random."""


def formula(numbers: Sequence[tuple[Fraction, str]], target: int) -> str | None:
    """A formula of all numbers, each with its text, that makes the target; None if there is none."""
    if len(numbers) == 1:
        return numbers[0][1] if numbers[0][0] == target else None
    for (a, x), (b, y), *rest in permutations(numbers):
        made = [(a + b, f"({x}+{y})"), (a - b, f"({x}-{y})"), (a * b, f"({x}*{y})")]
        for combined in [*made, (a / b, f"({x}/{y})")] if b else made:
            if found := formula([combined, *rest], target):
                return found
    return None


def answer(prompt: str, reading: str) -> str:
    """What an agent says that reads face cards so."""
    cards = json.loads(re.search(r"\[.*?\]", prompt)[0])
    values = {"A": 1, **READINGS[reading]}
    numbers = [int(values.get(card, card)) for card in cards]
    found = formula([(Fraction(number), str(number)) for number in numbers], 24)
    return json.dumps({"cards": cards, "number": numbers, "formula": found})


def learn(episodes: int, seed: int) -> dict[str, float]:
    """The mean reward of each reading on the hands that one trains on."""
    env = gymnasium.make("shiftgym/points-text-v0", split="train", limit=1)
    chance, earned = random.Random(seed), {reading: [0.0] for reading in READINGS}

    def mean(reading: str) -> float:
        return sum(earned[reading]) / len(earned[reading])

    prompt, _ = env.reset(seed=seed)
    for _ in range(episodes):
        explores = chance.random() < EXPLORED
        reading = chance.choice(list(READINGS)) if explores else max(READINGS, key=mean)
        _, reward, _, _, _ = env.step(answer(prompt, reading))
        if re.search("[JQK]", prompt.partition("]")[0]):
            earned[reading].append(float(reward))
        prompt, _ = env.reset()
    return {reading: mean(reading) for reading in READINGS}


def success(reading: str, split: str, problems: int) -> float:
    """Share of the first problems of a split that this reading solves at once."""
    env = gymnasium.make("shiftgym/points-text-v0", split=split, limit=1)
    solved = 0
    for index in range(problems):
        prompt, _ = env.reset(options={"index": index})
        solved += env.step(answer(prompt, reading))[4]["success"]
    return solved / problems


def main(episodes: int, problems: int) -> None:
    earned = learn(episodes, seed=0)
    for reading, reward in earned.items():
        print(f"face cards {reading}: mean reward {reward:+.2f}")
    best = max(earned, key=earned.__getitem__)
    for split in ("train", "id", "rule_ood"):
        print(f"{split}: success {success(best, split, problems):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--problems", type=int, default=64)
    asked = parser.parse_args()
    main(asked.episodes, asked.problems)
