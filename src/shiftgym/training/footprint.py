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
class Footprint:
    """Bytes that a branch takes on a device; over several ranks, what each of them takes on its own. Nothing of it
    depends on the machine but the format of training passes."""

    shared: Held
    """What ranks divide among them."""
    own: Held
    """What each rank has whole: adapters, and a critic."""
    layers: int
    """What a training pass over several ranks gathers of the shared: embeddings and layers at work, their gradients
    with them."""
    stepped: int
    """The weights that an optimizer cannot step in parts, so that each of several ranks has its share of them whole
    during the step."""
    activations: int
    """What the layers keep of a training pass of as many tokens as it may have."""
    logits: int
    """The logits of such a pass that are there at the same time."""
    one: int
    """A training pass of one conversation, activations and logits."""
    row: int
    """The answers to one decision."""
    rows: int
    """Decisions that are to be answered at the same time, by all ranks together."""
    ranks: int = 1

    def over(self, ranks: int) -> "Footprint":
        """The same branch over so many ranks."""
        return replace(self, ranks=ranks)

    @property
    def parts(self) -> Held:
        """What training keeps."""
        return self.shared.divided(self.ranks) + self.own

    @property
    def held(self) -> int:
        """What is there all the time."""
        parts = self.parts
        return parts.weights + parts.copies + parts.optimizer

    @property
    def gathered(self) -> int:
        """The whole weights, which each of several ranks has beside its share of them while it answers."""
        return self.shared.weights if self.ranks > 1 else 0

    @property
    def learning(self) -> int:
        """The most that there is in a training step."""
        return self._step(self.activations + self.logits)

    @property
    def least(self) -> int:
        """What it cannot do without: one conversation in a pass, and one decision at a time."""
        return max(self._step(self.one), self._answering(1))

    def rows_within(self, memory: int) -> int:
        """Decisions that so many bytes have room for, at least 1 and at most the rank's part of `rows`."""
        return max(1, min(-(-self.rows // self.ranks), (memory - self._answering(0)) // self.row))

    def peak(self, memory: int) -> int:
        """The most bytes that there are, with answers as many at a time as `memory` has room for."""
        return max(self.learning, self._answering(self.rows_within(memory)))

    def _answering(self, rows: int) -> int:
        return self.held + self.gathered + self.row * rows

    def _step(self, pass_: int) -> int:
        # When the pass is over, the optimizer's step takes about as much as the gradients once more.
        gradients, several = self.parts.gradients, self.ranks > 1
        gathered, stepped = (self.layers, -(-self.stepped // self.ranks)) if several else (0, 0)
        return self.held + gradients + max(pass_ + gathered, gradients + stepped)
