"""GRPO and RLOO: episodes of the same problem are one another's baseline, so no value head is needed."""

from torch import Tensor

from shiftgym.models.microbatches import Microbatch
from shiftgym.training import advantages
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import Rollouts, by_episode, summary
from shiftgym.training.settings import GroupSettings


class Group:
    """Clipped policy gradient on the return of each decision, compared within its group."""

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
        problems = training_order(self._seed, settings.train_on, settings.problems, (step - 1) * groups, groups)
        several = [problem for problem in problems for _ in range(size)]
        played = self._rollouts.collect(several, step)
        weights: list[list[float]] = []
        for start in range(0, len(played), size):
            # Episodes of one problem meet the same decisions, and each decision is compared with itself.
            alike = zip(*(episode.decisions for episode in played[start : start + size]), strict=True)
            compared = [
                self._compare([sum(record.rewards) * settings.reward_scale for record in records]) for records in alike
            ]
            weights += map(list, zip(*compared, strict=True))
        turns = [
            weight
            for episode, shares in zip(played, weights, strict=True)
            for record, weight in zip(episode.decisions, shares, strict=True)
            for _ in record.attempts
        ]
        judged = self._rollouts.judged(self._rollouts.conversations(played), turns)
        return Collection(by_episode(judged, played), summary(played), played)

    def loss(self, batch: Microbatch) -> tuple[Tensor, dict[str, Tensor]]:
        _, loss, metrics = self._rollouts.token_loss(batch)
        return loss, metrics
