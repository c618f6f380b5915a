"""Rejection-sampling fine-tuning (RFT; Yuan et al. 2023, arXiv 2308.01825): supervised fine-tuning on the model's own
answers that the verifier called right. Sampled once by the model that the branch starts with, or, refreshed, at each
step by the present one (as in RAFT; Dong et al. 2023, arXiv 2304.06767)."""

from shiftgym.errors import ConfigError
from shiftgym.models.microbatches import Conversation
from shiftgym.training.order import training_order
from shiftgym.training.own import Answered, Beforehand, answer
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import Player
from shiftgym.training.settings import RFTSettings
from shiftgym.training.sft import Supervised


class RFT(Supervised):
    """On the model's own conversations that ended right, each different one once a problem.

    Raises:
        ConfigError: from the first step, if no answer to any problem of the training set was right.
    """

    def __init__(self, context: Context, settings: RFTSettings) -> None:
        super().__init__(context, settings)
        self._settings = settings
        self._beforehand = None
        if not settings.refresh:
            self._beforehand = Beforehand(context, settings, settings.train_on, settings.group_size, settings.limit)
        self._right: list[list[Conversation]] = []

    def collect(self, step: int) -> Collection:
        if self._beforehand is None:
            return self._refreshed(step)
        settings = self._settings
        if not self._right:
            self._right = _right(self._beforehand.answers(step))
        if not self._right:
            raise ConfigError(
                f"rft: none of the answers to {settings.problems} problems was right, so there is nothing to "
                "learn from; start from a model that is right sometimes, or raise group_size"
            )
        start = (step - 1) * settings.batch
        places = training_order(self.context.seed, settings.train_on, len(self._right), start, settings.batch)
        return Collection([self._right[place] for place in places])

    def _refreshed(self, step: int) -> Collection:
        settings = self._settings
        player = Player(self.context, settings, settings.recipe)
        start = (step - 1) * settings.batch
        indices = training_order(self.context.seed, settings.train_on, settings.problems, start, settings.batch)
        found = answer(player, settings.train_on, list(indices), settings.group_size, [step], settings.limit)
        verdicts = [right for problem in found for decision in problem for _, right in decision]
        return Collection(_right(found), {"success": sum(verdicts) / len(verdicts)})


def _right(found: list[Answered]) -> list[list[Conversation]]:
    """Of every problem that has any, the different conversations that ended right."""
    problems = [
        list({tuple(sequence.ids): sequence for decision in problem for sequence, right in decision if right}.values())
        for problem in found
    ]
    return [sequences for sequences in problems if sequences]
