"""PPO over the turns of an episode: a value head judges each turn before it is answered.

What made it stable (and multi-turn training collapsed without): the value head reads detached states at a rate of its
own, and each turn number has its own mean advantage subtracted.
"""

from dataclasses import replace

from torch import Tensor

from shiftgym.models.microbatches import Conversation, Microbatch
from shiftgym.models.value import ValueHead
from shiftgym.training import advantages
from shiftgym.training.losses import value_loss
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import Rollouts, by_episode, summary
from shiftgym.training.settings import PPOSettings


class PPO:
    """Clipped policy gradient on turn-level generalised advantages, with a critic."""

    def __init__(self, context: Context, settings: PPOSettings) -> None:
        self.settings = settings
        self.head = ValueHead(context.model.config.get_text_config().hidden_size, context.seed).to(context.model.device)
        self.head_rate = settings.value_rate
        self.epochs, self.minibatch = settings.epochs, settings.minibatch
        self._seed = context.seed
        self._rollouts = Rollouts(context, settings, settings.recipe)

    def collect(self, step: int) -> Collection:
        settings = self.settings
        count = settings.episodes_per_iteration
        problems = training_order(self._seed, settings.train_on, settings.problems, (step - 1) * count, count)
        played = self._rollouts.collect(list(problems), step)
        conversations = self._rollouts.conversations(played)
        values = self._values(conversations)

        # One entry a turn, over all decisions. No answer changes what the next decision is, so each stands alone.
        estimates: list[float] = []
        turns: list[int] = []
        for record in (record for episode in played for record in episode.decisions):
            rewards = [reward * settings.reward_scale for reward in record.rewards]
            start = len(estimates)
            known = values[start : start + len(rewards)]
            estimates += advantages.generalised(rewards, known, settings.gamma, settings.gae_lambda)
            turns += range(len(rewards))
        returns = [estimate + value for estimate, value in zip(estimates, values, strict=True)]
        weights = advantages.scaled(advantages.less_attempt_mean(estimates, turns))
        judged = self._rollouts.judged(conversations, weights, returns)
        return Collection(
            by_episode(judged, played),
            {**summary(played), "explained_variance": advantages.explained_variance(values, returns)},
            played,
        )

    def loss(self, batch: Microbatch) -> tuple[Tensor, dict[str, Tensor]]:
        scores, loss, metrics = self._rollouts.token_loss(batch)
        value = value_loss(self.head(scores.hidden[batch.attempts]), batch.returns).sum() / batch.minibatch_attempts
        return loss + value, {**metrics, "value_loss": value}

    def _values(self, conversations: list[Conversation]) -> list[float]:
        """The value of every turn before it was answered; nothing behind the last prompt needs to be read."""
        read = []
        for sequence in conversations:
            end = sequence.spans[-1][0]
            read.append(replace(sequence, ids=sequence.ids[:end], spans=[*sequence.spans[:-1], (end, end)]))
        sizes = [len(sequence.spans) for sequence in read]
        values = self._rollouts.evaluate(
            read, lambda batch: self.head(self._rollouts.states(batch)), sizes=sizes, head=False
        )
        return [value for turns in values for value in turns]
