"""Rules: what J, Q and K count as. Rules are data: a new one is a name in a study file, not code.

faces_as_ten             the paper's training rule
faces_as_11_12_13        the paper's rule shift
faces_as_7               every face card counts as 7
faces_as_13_11_12        J, Q and K count as 13, 11 and 12
shuffled                 drawn for each problem: a permutation of 11, 12, 13 other than the paper's
random                   drawn for each problem: three independent values from 1 to 13
"""

import random
import re
from dataclasses import dataclass
from itertools import permutations

from shiftgym.errors import ConfigError
from shiftgym.tasks.points.deck import FACES, RANKS


@dataclass(frozen=True, slots=True)
class Rule:
    """The values of the face cards. An ace is 1 and a number card is what it prints, always."""

    jack: int
    queen: int
    king: int

    def value(self, rank: str) -> int:
        if rank in FACES:
            return (self.jack, self.queen, self.king)[FACES.index(rank)]
        return RANKS.index(rank) + 1

    def values(self, ranks: tuple[str, ...]) -> tuple[int, ...]:
        return tuple([self.value(rank) for rank in ranks])

    @property
    def sentence(self) -> str:
        """The rule as one sentence of the prompt. All rules are worded alike, so a shift changes nothing else."""
        return f"J counts as {self.jack}, Q as {self.queen} and K as {self.king}."

    @property
    def reworded(self) -> str:
        """The same said the other way round."""
        return f"K counts as {self.king}, Q as {self.queen} and J as {self.jack}."


IN_ORDER = Rule(11, 12, 13)
"""The paper's shifted rule. It is never drawn: where it is used, it is used by name."""

MAX_VALUE = 99


def fixed_rule(name: str) -> Rule | None:
    """The rule of that name; None where the rule is drawn for each problem.

    Raises:
        ConfigError: there is no such rule.
    """
    if name in ("shuffled", "random"):
        return None
    match = re.fullmatch(r"faces_as_(ten|\d{1,2}|\d{1,2}_\d{1,2}_\d{1,2})", name)
    values = [10 if part == "ten" else int(part) for part in match[1].split("_")] if match else []
    if not values or not all(1 <= value <= MAX_VALUE for value in values):
        raise ConfigError(
            f"rule: unknown rule '{name}'; rules are faces_as_ten, faces_as_11_12_13, faces_as_<value>, "
            f"faces_as_<J>_<Q>_<K> (values 1 to {MAX_VALUE}), shuffled and random"
        )
    return Rule(*(values * 3 if len(values) == 1 else values))


def draw_rule(name: str, rng: random.Random) -> Rule:
    """The rule of that name, drawn from `rng` where the name stands for a distribution."""
    fixed = fixed_rule(name)
    if fixed is not None:
        return fixed
    if name == "shuffled":
        return Rule(*rng.choice([p for p in permutations((11, 12, 13)) if p != (11, 12, 13)]))
    while True:
        rule = Rule(*(rng.randint(1, 13) for _ in FACES))
        if rule != IN_ORDER:
            return rule
