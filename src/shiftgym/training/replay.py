"""Supervised fine-tuning with rehearsal: what the model was trained on before is not at hand, so it rehearses its own
answers of the time before (self-synthesized rehearsal; Huang et al. 2024, arXiv 2403.01244)."""

from shiftgym.models.microbatches import Conversation
from shiftgym.training.order import training_order
from shiftgym.training.own import Beforehand
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.settings import ReplaySettings
from shiftgym.training.sft import Experts, Supervised


class Replay(Supervised):
    """On the expert's answers to some problems of every batch, and on the model's own to the others, right or wrong."""

    def __init__(self, context: Context, settings: ReplaySettings) -> None:
        super().__init__(context, settings)
        self._settings = settings
        self._experts = Experts(context, settings)
        self._beforehand = Beforehand(context, settings, settings.replay_on, group_size=1)
        self._own: list[list[Conversation]] = []
        self._rehearsed = max(1, round(settings.batch * settings.share))

    def collect(self, step: int) -> Collection:
        if not self._own:
            answered = self._beforehand.answers(step)
            self._own = [[sequence for ((sequence, _),) in problem] for problem in answered]
        settings, seed = self._settings, self.context.seed
        count = settings.batch - self._rehearsed
        new = training_order(seed, settings.train_on, settings.problems, (step - 1) * count, count)
        old = training_order(seed, settings.replay_on, len(self._own), (step - 1) * self._rehearsed, self._rehearsed)
        return Collection([*map(self._experts.answers, new), *[self._own[place] for place in old]])
