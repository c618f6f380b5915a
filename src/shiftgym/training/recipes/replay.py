"""Supervised fine-tuning with rehearsal: the model's earlier training data is not available, so it rehearses answers
that it gave before this training (self-synthesized rehearsal; Huang et al. 2024, arXiv 2403.01244)."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from shiftgym.models.conversations.conversation import Conversation
from shiftgym.training.answers import answers_beforehand, expert_answers
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.settings import SamplingSettings, SupervisedSettings, TrainingSettings

if TYPE_CHECKING:
    from shiftgym.models.player import Player


class ReplaySettings(SupervisedSettings, SamplingSettings):
    """Supervised fine-tuning with rehearsal: a share of every batch is the model's own answers from before."""

    share: float = Field(default=0.25, gt=0, lt=1)
    """Share of every batch that is the model's own answers from before."""
    replay_on: str = "train"
    """Name of the split whose problems are rehearsed, as many as `problems`."""
    problems: int = Field(default=1000, gt=0)
    """Size of the training set, and number of problems that are rehearsed."""


class Replay(Recipe):
    """On the expert's answers to some problems of every batch, and on the model's own to the others, right or wrong."""

    name = "replay"
    Settings = ReplaySettings
    family = "supervised"
    settings: ReplaySettings

    def __init__(self, settings: TrainingSettings, player: "Player") -> None:
        super().__init__(settings, player)
        self._expert = expert_answers(player, settings)
        self._own: list[list[Conversation]] = []

    @property
    def sampled_by(self) -> Literal["start"]:
        return "start"

    def collect(self, step: int) -> Collection:
        settings, seed = self.settings, self.player.seed
        if not self._own:
            answered = answers_beforehand(self, settings.replay_on, 1, step=step)
            self._own = [[conversation for ((conversation, _),) in problem] for problem in answered]
        rehearsed = max(1, round(settings.batch * settings.share))
        count = settings.batch - rehearsed
        old = training_order(seed, settings.replay_on, len(self._own), (step - 1) * rehearsed, rehearsed)
        return Collection([*map(self._expert, self.problems(step, count)), *[self._own[index] for index in old]])
