"""Answers that do not change while a model is trained: the expert's, and those that the starting model gives before the
first step."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from shiftgym.models.conversations.conversation import Conversation, Judged
from shiftgym.training.recipe import Recipe
from shiftgym.training.settings import TrainingSettings

if TYPE_CHECKING:
    from shiftgym.models.player import Player

AT_ONCE = 128
"""Answers that are sampled side by side, for problems of one decision."""


def expert_answers(player: "Player", settings: TrainingSettings) -> Callable[[int], list[Conversation]]:
    """From a problem's index to the expert's answer to each of its decisions; kept, where the set is a fixed one."""
    answers = partial(player.expert, settings.train_on)
    return answers if settings.problems is None else cache(answers)


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
