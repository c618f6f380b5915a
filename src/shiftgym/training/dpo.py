"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) on verdicts: the model's own first answers to
the same decision, one right and one wrong, are a pair."""

from dataclasses import replace
from itertools import chain
from statistics import fmean

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from shiftgym.errors import ConfigError
from shiftgym.models.microbatches import Conversation, Microbatch
from shiftgym.training.order import training_order
from shiftgym.training.own import Answered, Beforehand
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import Player
from shiftgym.training.settings import DPOSettings


class DPO:
    """-log sigmoid(margin), where margin = beta (log-ratio of the right answer - log-ratio of the wrong one).

    Its gradient is that of the two log-likelihoods, weighed by plus and minus beta sigmoid(-margin). These weights are
    found before the step, so that right and wrong need not be in one pass.

    Raises:
        ConfigError: from the first step, if no decision had both right and wrong answers.
    """

    head = None
    head_rate = 1.0
    epochs = 1

    def __init__(self, context: Context, settings: DPOSettings) -> None:
        self.minibatch = settings.batch
        self._context, self._settings = context, settings
        self._player = Player(context, settings, settings.recipe)
        self._beforehand = Beforehand(context, settings, settings.train_on, settings.group_size)
        self._pairs: list[list[Conversation]] = []

    def collect(self, step: int) -> Collection:
        settings = self._settings
        if not self._pairs:
            self._pairs = [pairs for pairs in map(_pairs, self._beforehand.answers(step)) if pairs]
        if not self._pairs:
            raise ConfigError(
                f"dpo: no problem of {settings.problems} had both right and wrong answers among {settings.group_size}, "
                "so there is no pair to learn from; raise group_size or temperature"
            )
        start = (step - 1) * settings.batch
        places = list(training_order(self._context.seed, settings.train_on, len(self._pairs), start, settings.batch))
        chosen = [self._pairs[place] for place in places]
        flat = list(chain(*chosen))
        ratios = [
            sum(now) - sum(sequence.logprobs)
            for sequence, now in zip(flat, self._player.logprobs(flat, self._context.model), strict=True)
        ]
        margins = settings.beta * (torch.tensor(ratios[::2]) - torch.tensor(ratios[1::2]))
        weights = (settings.beta * torch.sigmoid(-margins)).tolist()
        signed = iter([side * weight for weight in weights for side in (1, -1)])
        judged = [
            [replace(sequence, advantages=[next(signed)] * sequence.answer_tokens) for sequence in several]
            for several in chosen
        ]
        metrics = {"dpo_loss": -logsigmoid(margins).mean().item(), "margin": fmean(margins.tolist())}
        return Collection(judged, {**metrics, "preferred": (margins > 0).float().mean().item()})

    def loss(self, batch: Microbatch) -> tuple[Tensor, dict[str, Tensor]]:
        logprobs = self._player.score(self._context.model, batch).logprobs
        return -(batch.advantages * logprobs).sum() / (batch.minibatch_attempts / 2), {}


def _pairs(problem: Answered) -> list[Conversation]:
    """Right, wrong, right, wrong ...: as many pairs of a decision as it has answers of the rarer sort."""
    found: list[Conversation] = []
    for decision in problem:
        right = [sequence for sequence, verdict in decision if verdict]
        wrong = [sequence for sequence, verdict in decision if not verdict]
        found += chain(*zip(right, wrong, strict=False))
    return found
