"""What a recipe is. SFT, PPO, GRPO and RLOO run in one loop (`trainer.py`) and differ in two things only:
where answers come from (`collect`) and how their tokens are weighted (`loss`).
"""

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.episodes import Episode
from shiftgym.models.chat import ChatFormat
from shiftgym.models.ledger import Ledger
from shiftgym.models.microbatches import Conversation, Microbatch
from shiftgym.models.value import ValueHead
from shiftgym.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Context:
    """What a branch trains with."""

    model: PreTrainedModel
    chat_format: ChatFormat
    task: Task
    seed: int
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Collection:
    """What one step learns from."""

    sequences: list[list[Conversation]]
    """One conversation a decision, those of a problem together: they may begin alike."""
    metrics: dict[str, float] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)


class Recipe(Protocol):
    """One way to change a policy."""

    @property
    def head(self) -> ValueHead | None:
        """A value head that is trained along."""
        ...

    @property
    def head_rate(self) -> float:
        """Its learning rate, as a multiple of the model's."""
        ...

    @property
    def epochs(self) -> int:
        """Passes over what a step collected."""
        ...

    @property
    def minibatch(self) -> int:
        """Problems (for reinforcement, episodes) an optimizer step."""
        ...

    def collect(self, step: int) -> Collection:
        """Gather what step number `step` (from 1) learns from; all randomness is derived from the seed and `step`."""
        ...

    def loss(self, batch: Microbatch) -> tuple[Tensor, dict[str, Tensor]]:
        """This pass's share of its minibatch's loss and of each metric: shares add up to the minibatch's means."""
        ...
