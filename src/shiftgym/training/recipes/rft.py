"""Rejection-sampling fine-tuning (RFT; Yuan et al. 2023, arXiv 2308.01825): supervised fine-tuning on the model's own
right answers. They are sampled once by the model that the branch starts with or, with `refresh`, at each step by the
present one (as in RAFT; Dong et al. 2023, arXiv 2304.06767)."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.conversation import Conversation, Judged
from shiftgym.training.answers import answers_beforehand
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.rollouts import require_answers
from shiftgym.training.settings import SamplingSettings, SupervisedSettings, TrainingSettings

if TYPE_CHECKING:
    from shiftgym.models.player import Player


class RFTSettings(SupervisedSettings, SamplingSettings):
    """Rejection sampling: supervised fine-tuning on the model's own conversations that ended with a right answer."""

    group_size: int = Field(default=4, ge=1)
    """Conversations that are sampled for a problem."""
    limit: int = Field(default=1, gt=0)
    """Attempts a decision. With more than one, failed answers are learned too, with the right one at the end and the
    feedback between them as context: the paper's sub-optimal trajectories (Fig. 15)."""
    refresh: bool = False
    """Sample at each step from the present model; otherwise once, before the first step, from the model that the branch
    starts with."""

    @model_validator(mode="after")
    def _finite(self) -> "RFTSettings":
        if self.problems is None and not self.refresh:
            raise ValueError("problems: give a number, since each is sampled before the first step, or refresh = true")
        return self


class RFT(Recipe):
    """On the model's own conversations that ended right, each different one once a problem.

    Raises:
        ConfigError: from the first step, if no answer to any problem of the training set was right.
    """

    name = "rft"
    Settings = RFTSettings
    family = "between"
    settings: RFTSettings

    def __init__(self, settings: TrainingSettings, player: "Player") -> None:
        super().__init__(settings, player)
        self._right: list[list[Conversation]] = []

    @property
    def sampled_by(self) -> Literal["start", "present"]:
        return "present" if self.settings.refresh else "start"

    def collect(self, step: int) -> Collection:
        settings = self.settings
        if settings.refresh:
            indices, noise = self.problems(step, settings.batch), [*self.noise, step]
            found = self.player.answers(settings.train_on, indices, settings.group_size, noise, settings.limit)
            require_answers(conversation for problem in found for decision in problem for conversation, _ in decision)
            verdicts = [right for problem in found for decision in problem for _, right in decision]
            return Collection(_right(found), {"success": sum(verdicts) / len(verdicts)})
        if not self._right:
            self._right = _right(
                answers_beforehand(self, settings.train_on, settings.group_size, step=step, limit=settings.limit)
            )
        if not self._right:
            raise ConfigError(
                f"rft: none of the answers to {settings.problems} problems was right, so there is nothing to "
                "learn from; start from a model that is sometimes right, or raise group_size"
            )
        start = (step - 1) * settings.batch
        order = training_order(self.player.seed, settings.train_on, len(self._right), start, settings.batch)
        return Collection([self._right[index] for index in order])


def _right(found: list[Judged]) -> list[list[Conversation]]:
    """Of every problem that has any, the different conversations that ended right."""
    problems = [
        list({tuple(each.ids): each for decision in problem for each, right in decision if right}.values())
        for problem in found
    ]
    return [conversations for conversations in problems if conversations]
