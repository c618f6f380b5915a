"""PPO over the attempts of an episode: a value head judges each attempt before it is made.

Two things keep it stable; without them training over several attempts collapsed. The value head reads detached states
and has a learning rate of its own, and from each advantage the mean over its attempt number is subtracted.
"""

from pydantic import Field

from shiftgym.episodes import by_episode
from shiftgym.training import advantages
from shiftgym.training.idle import ALIKE, alike
from shiftgym.training.recipe import Collection, PolicyGradient
from shiftgym.training.rollouts import summary, weighted
from shiftgym.training.settings import RolloutSettings


class PPOSettings(RolloutSettings):
    """PPO over the attempts of an episode, with a value head."""

    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount from one attempt to the next."""
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """Lambda of the generalised advantage estimate."""
    value_rate: float = Field(default=10.0, gt=0)
    """Learning rate of the value head, as a multiple of the model's."""


class PPO(PolicyGradient):
    """Clipped policy gradient on generalised advantages of attempts, with a critic (the paper, 3 and C.2)."""

    name = "ppo"
    Settings = PPOSettings
    settings: PPOSettings

    @property
    def value_rate(self) -> float:
        return self.settings.value_rate

    def collect(self, step: int) -> Collection:
        settings = self.settings
        played = self.play(self.problems(step, settings.episodes_per_iteration), step)
        conversations = self.player.conversations(played)
        values = [value for attempts in self.player.values(conversations) for value in attempts]

        # One entry an attempt, over all decisions. No answer changes the next decision, so decisions are independent.
        estimates: list[float] = []
        numbers: list[int] = []
        records = [record for episode in played for record in episode.decisions]
        for record in records:
            rewards = [reward * settings.reward_scale for reward in record.rewards]
            start = len(estimates)
            known = values[start : start + len(rewards)]
            estimates += advantages.generalised(rewards, known, settings.gamma, settings.gae_lambda)
            numbers += range(len(rewards))
        returns = [estimate + value for estimate, value in zip(estimates, values, strict=True)]
        weights = advantages.scaled(advantages.less_attempt_mean(estimates, numbers))
        metrics = {
            **summary(played),
            ALIKE: alike([[record.rewards for record in records]]),
            "explained_variance": advantages.explained_variance(values, returns),
        }
        return Collection(by_episode(weighted(conversations, weights, returns), played), metrics, played)
