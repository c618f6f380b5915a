"""GRPO and RLOO: episodes of the same problem are one another's baseline, so no value head is needed."""

from torch import Tensor

from shiftgym.training import advantages
from shiftgym.training.batches import Batch
from shiftgym.training.problems import stream
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import Rollouts, summary
from shiftgym.training.settings import GroupSettings


class Group:
    """Clipped policy gradient on the return of whole episodes, compared within groups."""

    head = None
    head_rate = 1.0

    def __init__(self, context: Context, settings: GroupSettings) -> None:
        self.settings = settings
        self.epochs, self.minibatch = settings.epochs, settings.minibatch
        self._seed = context.seed
        self._rollouts = Rollouts(context, settings, settings.recipe)
        self._compare = advantages.leave_one_out if settings.recipe == "rloo" else advantages.group_normalised

    def collect(self, step: int) -> Collection:
        settings = self.settings
        groups, size = settings.episodes_per_iteration // settings.group_size, settings.group_size
        problems = stream(self._seed, settings.train_on, settings.problems, (step - 1) * groups, groups)
        played = self._rollouts.play([problem for problem in problems for _ in range(size)], step)
        weights: list[float] = []
        for start in range(0, len(played), size):
            group = played[start : start + size]
            compared = self._compare([episode.reward * settings.reward_scale for episode in group])
            for episode, advantage in zip(group, compared, strict=True):
                weights += [advantage] * sum(len(record.attempts) for record in episode.decisions)
        conversations = self._rollouts.conversations(played)
        return Collection(self._rollouts.judged(conversations, weights), summary(played), played)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        _, loss, metrics = self._rollouts.token_loss(batch)
        return loss, metrics
