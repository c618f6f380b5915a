"""The expert's answers to the problems of a training set."""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from shiftgym.models.conversation import Conversation
from shiftgym.training.settings import TrainingSettings

if TYPE_CHECKING:
    from shiftgym.models.player import Player


def expert_answers(player: "Player", settings: TrainingSettings) -> Callable[[int], list[Conversation]]:
    """A function from a problem's index to the expert's answers, one a decision; cached if the training set is
    fixed."""
    answers = partial(player.expert, settings.train_on)
    return answers if settings.problems is None else cache(answers)
