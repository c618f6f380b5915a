"""The environment of SkyRL: sequential revision of one decision.

Importing this file registers it as `shiftgym`, which is what the rows of `shiftgym data skyrl train.parquet` ask for.
SkyRL's text environments speak in texts only, so the problems are those of a text study.
"""

from collections.abc import Mapping
from typing import Any

from skyrl_gym import register
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from shiftgym.integrations.problems import opened


class ShiftgymEnv(BaseTextEnv):
    """One decision of a problem, with as many attempts as the task allows; SkyRL's own `max_turns` does not matter.

    Args:
        env_config: unused; everything is in the row.
        extras: the columns of the data set beside the prompt, of which `extra_info` names the problem.
    """

    def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.session = opened((extras or {})["extra_info"])
        self.max_turns = self.session.limit

    def init(self, prompt: list[dict[str, str]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The prompt of the problem, which is that of the row, and where the episode stands."""
        return self.session.messages, self.session.info

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Judge an answer. The reward is that of this answer; the metadata are those of `Session.info`."""
        self.turns += 1
        step = self.session.step(action)
        return BaseTextEnvStepOutput(
            observations=self.session.told, reward=step.reward, done=step.done, metadata=self.session.info
        )

    def get_metrics(self) -> dict[str, Any]:
        """What SkyRL averages over episodes."""
        told = self.session.info
        return {"solved": float(told["success"]), "attempts": told["attempts"]}


register("shiftgym", entry_point="shiftgym.integrations.skyrl:ShiftgymEnv")
