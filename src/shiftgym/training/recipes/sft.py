"""Supervised fine-tuning: the likelihood of the expert's answers is raised."""

from typing import TYPE_CHECKING

from shiftgym.training.answers import expert_answers
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.settings import SupervisedSettings, TrainingSettings

if TYPE_CHECKING:
    from shiftgym.models.player import Player


class SFTSettings(SupervisedSettings):
    """Supervised fine-tuning on the task's expert answers."""


class SFT(Recipe):
    """Next-token prediction of the expert's answers and their end token, given the prompt."""

    name = "sft"
    Settings = SFTSettings
    family = "supervised"
    settings: SFTSettings

    def __init__(self, settings: TrainingSettings, player: "Player") -> None:
        super().__init__(settings, player)
        self._expert = expert_answers(player, settings)

    def collect(self, step: int) -> Collection:
        return Collection([self._expert(index) for index in self.problems(step, self.settings.batch)])
