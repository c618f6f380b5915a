"""What GRPO and RLOO share: the episodes of a problem are the baseline of each other, so no critic is needed."""

from abc import abstractmethod

from pydantic import Field, model_validator

from shiftgym.episodes import by_episode
from shiftgym.training.idle import ALIKE, alike
from shiftgym.training.recipe import Collection, PolicyGradient
from shiftgym.training.rollouts import summary, weighted
from shiftgym.training.settings import RolloutSettings


class GroupSettings(RolloutSettings):
    """GRPO and RLOO: several episodes of each problem are the baseline of each other, without a value head."""

    group_size: int = Field(default=8, ge=2)
    """Episodes of the same problem."""
    limit: int | None = Field(default=1, gt=0)
    """Attempts a decision in training; None is the task's own limit."""

    @model_validator(mode="after")
    def _whole_groups(self) -> "GroupSettings":
        if self.episodes_per_iteration % self.group_size:
            raise ValueError(
                f"episodes_per_iteration ({self.episodes_per_iteration}) must be a multiple of "
                f"group_size ({self.group_size})"
            )
        return self


class Group(PolicyGradient):
    """Clipped policy gradient on the return of each decision, compared within its group."""

    Settings = GroupSettings
    settings: GroupSettings

    @abstractmethod
    def advantages(self, returns: list[float]) -> list[float]:
        """Of each return, how much better it is than its group."""

    def collect(self, step: int) -> Collection:
        settings = self.settings
        groups, size = settings.episodes_per_iteration // settings.group_size, settings.group_size
        played = self.play([problem for problem in self.problems(step, groups) for _ in range(size)], step)
        returns: list[list[float]] = []
        weights: list[list[float]] = []
        for start in range(0, len(played), size):
            # Episodes of one problem meet the same decisions, and each decision is compared with itself.
            same = zip(*(episode.decisions for episode in played[start : start + size]), strict=True)
            compared = [[sum(record.rewards) * settings.reward_scale for record in records] for records in same]
            returns += compared
            weights += map(list, zip(*map(self.advantages, compared), strict=True))
        of_attempts = [
            weight
            for episode, shares in zip(played, weights, strict=True)
            for record, weight in zip(episode.decisions, shares, strict=True)
            for _ in record.attempts
        ]
        conversations = weighted(self.player.conversations(played), of_attempts)
        metrics = {**summary(played), ALIKE: alike(returns)}
        return Collection(by_episode(conversations, played), metrics, played)
