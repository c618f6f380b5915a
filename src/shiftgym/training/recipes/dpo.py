"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) on verdicts: the model's own first answers to
the same decision, one right and one wrong, are a pair."""

import math
from dataclasses import replace
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.conversation import Conversation, Judged
from shiftgym.training.answers import answers_beforehand
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Recipe
from shiftgym.training.settings import SamplingSettings, TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from shiftgym.models.microbatches import Microbatch
    from shiftgym.models.player import Player
    from shiftgym.models.score import Scores


class DPOSettings(SamplingSettings):
    """Direct preference optimisation on pairs of the model's own first answers, one right and one wrong."""

    batch: int = Field(default=64, gt=0)
    """Problems an optimizer step."""
    group_size: int = Field(default=8, ge=2)
    """Answers that are sampled to each problem, once, before the first step."""
    beta: float = Field(default=0.1, gt=0)
    """Factor on the difference of the log-ratios to the model that the branch started with."""
    problems: int = Field(default=1000, gt=0)
    """Size of the training set."""


class DPO(Recipe):
    """-log sigmoid(margin), where margin = beta (log-ratio of the right answer - log-ratio of the wrong one).

    Its gradient is that of the two log-likelihoods, weighed by plus and minus beta sigmoid(-margin). These weights are
    found before the step, so that right and wrong need not be in one microbatch.

    Raises:
        ConfigError: from the first step, if no decision had both right and wrong answers.
    """

    name = "dpo"
    Settings = DPOSettings
    family = "between"
    settings: DPOSettings

    def __init__(self, settings: TrainingSettings, player: "Player") -> None:
        super().__init__(settings, player)
        self._pairs: list[list[Conversation]] = []

    @property
    def sampled_by(self) -> Literal["start"]:
        return "start"

    @property
    def temperature(self) -> float:
        return self.settings.temperature

    def collect(self, step: int) -> Collection:
        settings = self.settings
        if not self._pairs:
            answered = answers_beforehand(self, settings.train_on, settings.group_size, step=step)
            self._pairs = [pairs for pairs in map(_pairs, answered) if pairs]
        if not self._pairs:
            raise ConfigError(
                f"dpo: no problem of {settings.problems} had both right and wrong answers among {settings.group_size}, "
                "so there is no pair to learn from; raise group_size or temperature"
            )
        start = (step - 1) * settings.batch
        order = training_order(self.player.seed, settings.train_on, len(self._pairs), start, settings.batch)
        chosen = [self._pairs[index] for index in order]
        flat = list(chain(*chosen))
        ratios = [sum(now) - sum(each.logprobs) for each, now in zip(flat, self.player.logprobs(flat), strict=True)]
        margins = [settings.beta * (right - wrong) for right, wrong in zip(ratios[::2], ratios[1::2], strict=True)]
        losses = [_softplus(-margin) for margin in margins]
        # sigmoid(-margin) = 1 - exp(-loss)
        weights = iter([side * settings.beta * -math.expm1(-loss) for loss in losses for side in (1, -1)])
        groups = [
            [replace(each, weights=[next(weights)] * each.answer_tokens) for each in several] for several in chosen
        ]
        preferred = fmean(margin > 0 for margin in margins)
        return Collection(groups, {"dpo_loss": fmean(losses), "margin": fmean(margins), "preferred": preferred})

    def loss(self, scores: "Scores", batch: "Microbatch") -> "tuple[Tensor, dict[str, Tensor]]":
        """A scalar: the mean over pairs, of which each has two attempts."""
        return -(batch.weights * scores.logprobs).sum() / (batch.minibatch_attempts / 2), {}


def _pairs(problem: Judged) -> list[Conversation]:
    """Right, wrong, right, wrong ...: as many pairs of a decision as it has answers of the rarer sort."""
    found: list[Conversation] = []
    for decision in problem:
        right = [conversation for conversation, verdict in decision if verdict]
        wrong = [conversation for conversation, verdict in decision if not verdict]
        found += chain(*zip(right, wrong, strict=False))
    return found


def _softplus(x: float) -> float:
    """log(1 + exp(x)), which is -log sigmoid(-x), for any x."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
