"""Answers sampled once, before the first step, by the model that a branch starts with."""

from dataclasses import replace

from shiftgym.models.conversation import Judged
from shiftgym.training.recipe import Recipe

AT_ONCE = 128
"""Answers that are sampled side by side, for problems of one decision."""


def answers_beforehand(recipe: Recipe, split: str, group_size: int, *, step: int, limit: int = 1) -> list[Judged]:
    """The judged answers of the starting model to all problems of the training set, in their order.

    A branch that is resumed samples the same ones again, which its ledger does not count again.

    Args:
        split: where the problems come from, as many as the recipe's `problems`.
        step: the step that asks for them; only the first one pays.
        limit: attempts a decision.
    """
    start = recipe.start if step == 1 else replace(recipe.start, ledger=replace(recipe.start.ledger))
    count, size = recipe.settings.problems, max(1, AT_ONCE // group_size)
    chunks = [range(first, min(first + size, count)) for first in range(0, count, size)]
    noise = [*recipe.noise, "before"]
    return [one for chunk in chunks for one in start.answers(split, chunk, group_size, noise, limit)]
