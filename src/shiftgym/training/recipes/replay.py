"""Supervised fine-tuning with rehearsal: what the model was trained on before is not at hand, so it rehearses its own
answers of the time before (self-synthesized rehearsal; Huang et al. 2024, arXiv 2403.01244)."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from shiftgym.models.conversation import Conversation
from shiftgym.training.answers import answers_beforehand, expert_answers
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.settings import SamplingSettings, SupervisedSettings, TrainingSettings

if TYPE_CHECKING:
    from shiftgym.models.player import Player


class ReplaySettings(SupervisedSettings, SamplingSettings):
    """Supervised fine-tuning with rehearsal: a share of every batch is what the model itself used to answer."""

    share: float = Field(default=0.25, gt=0, lt=1)
    """Share of every batch that is rehearsed."""
    replay_on: str = "train"
    """Name of the split whose problems are rehearsed, as many as `problems`."""
    problems: int = Field(default=1000, gt=0)
    """Size of the training set, and of what is rehearsed."""


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
        return Collection([*map(self._expert, self.problems(step, count)), *[self._own[place] for place in old]])
