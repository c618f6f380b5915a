"""The memory that a branch takes. No torch is imported here, so that plans are read fast."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that a branch takes. Nothing of it depends on the machine but the format of training passes."""

    weights: int
    copies: int
    """Further models beside it that are kept as they were: the start for KL, the start for probes."""
    gradients: int
    optimizer: int
    """States of the optimizer, and the weights of a critic."""
    activations: int
    """What the layers keep of a training pass of as many tokens as it may have."""
    logits: int
    """The logits of such a pass that are there at the same time."""
    one: int
    """A training pass of one conversation, activations and logits."""
    row: int
    """The answers to one decision."""
    rows: int
    """Decisions that are to be answered at the same time."""

    @property
    def held(self) -> int:
        """What is there all the time."""
        return self.weights + self.copies + self.optimizer

    @property
    def learning(self) -> int:
        """The most that there is in a training step."""
        return self._step(self.activations + self.logits)

    @property
    def least(self) -> int:
        """What it cannot do without: one conversation in a pass, and one decision at a time."""
        return max(self._step(self.one), self.held + self.row)

    def rows_within(self, memory: int) -> int:
        """Decisions that so many bytes have room for, at least 1 and at most `rows`."""
        return max(1, min(self.rows, (memory - self.held) // self.row))

    def peak(self, memory: int) -> int:
        """The most bytes that there are, with answers as many at a time as `memory` has room for."""
        return max(self.learning, self.held + self.row * self.rows_within(memory))

    def _step(self, pass_: int) -> int:
        # When the pass is over, the optimizer's step takes about as much as the gradients once more.
        return self.held + self.gradients + max(pass_, self.gradients)
