"""The memory that a branch takes. No torch is imported here, so that plans are read fast."""

from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes of a model and of what training keeps beside it."""

    weights: int = 0
    copies: int = 0
    """Further models beside it that are kept as they were: the start for KL, the start for probes."""
    gradients: int = 0
    optimizer: int = 0
    """States of the optimizer, and the weights of a critic."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def divided(self, ranks: int) -> Self:
        """What each of so many ranks has of it."""
        return type(self)(*(-(-getattr(self, each.name) // ranks) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class OverRanks:
    """Bytes that are there only where several ranks carry out a branch."""

    copies: int
    """The copies, which ranks divide, and which then share nothing with the model."""
    whole: int
    """The whole weights that a rank has at the same time while it answers: the model's, and those of the start while it
    is probed."""
    layers: int
    """What a training pass gathers of what is divided: embeddings and layers at work, their gradients with them."""
    stepped: int
    """The weights that an optimizer cannot step in parts. Each rank has its share of them whole during the step."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that a branch takes on a device; over several ranks, what each of them takes on its own. Nothing of it
    depends on the machine but the format of training passes."""

    shared: Held
    """What ranks divide among them."""
    own: Held
    """What each rank has whole: adapters, and a critic."""
    over_ranks: OverRanks
    activations: int
    """What the layers keep of a training pass of as many tokens as it may have."""
    logits: int
    """The logits of such a pass that are there at the same time."""
    one: int
    """A training pass of one conversation, activations and logits."""
    row: int
    """The answers to one decision."""
    iteration: int
    """Decisions that are to be answered at the same time in rollouts, by all ranks together."""
    batch: int
    """Decisions of the evaluation that each rank is to answer at the same time."""
    ranks: int = 1

    def over(self, ranks: int) -> "Footprint":
        """The same branch over so many ranks."""
        return replace(self, ranks=ranks)

    @property
    def parts(self) -> Held:
        """What training keeps."""
        if self.ranks == 1:
            return self.shared + self.own
        return replace(self.shared, copies=self.over_ranks.copies).divided(self.ranks) + self.own

    @property
    def rows(self) -> int:
        """Decisions that each rank is to answer at the same time."""
        return max(self.batch, -(-self.iteration // self.ranks))

    @property
    def held(self) -> int:
        """What is there all the time."""
        parts = self.parts
        return parts.weights + parts.copies + parts.optimizer

    @property
    def gathered(self) -> int:
        """The whole weights that each of several ranks has beside its share of them while it answers."""
        return self.over_ranks.whole if self.ranks > 1 else 0

    @property
    def learning(self) -> int:
        """The most that there is in a training step."""
        return self._step(self.activations + self.logits)

    @property
    def least(self) -> int:
        """What it cannot do without: one conversation in a pass, and one decision at a time."""
        return max(self._step(self.one), self._answering(1))

    def rows_within(self, memory: int) -> int:
        """Decisions that so many bytes have room for, at least 1 and at most `rows`."""
        return max(1, min(self.rows, (memory - self._answering(0)) // self.row))

    def peak(self, memory: int) -> int:
        """The most bytes that there are, with answers as many at a time as `memory` has room for."""
        return max(self.learning, self._answering(self.rows_within(memory)))

    def _answering(self, rows: int) -> int:
        return self.held + self.gathered + self.row * rows

    def _step(self, pass_: int) -> int:
        # When the pass is over, the optimizer's step takes about as much as the gradients once more.
        gradients, several = self.parts.gradients, self.ranks > 1
        gathered = self.over_ranks.layers if several else 0
        stepped = -(-self.over_ranks.stepped // self.ranks) if several else 0
        return self.held + gradients + max(pass_ + gathered, gradients + stepped)
