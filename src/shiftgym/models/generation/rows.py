"""The answers of a batch while they are written."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from shiftgym.errors import TrainingStopped
from shiftgym.models.generation.sampling import NOT_FINITE, draw


@dataclass(slots=True)
class Rows:
    """All that a decode step reads and writes besides the model and its cache, changed in place.

    A row that has ended is computed on for a while. It then reads its last token again and again, where it stands, so
    it never leaves the columns and positions that it had room for, and no other row knows of it.
    """

    order: Tensor
    """(R,) int64, which conversation a row belongs to. Rows change places; those beyond the last conversation are
    padding."""
    token: Tensor
    """(R,) int64, the token that was sampled last, which the next step reads."""
    position: Tensor
    """(R,) int64 of that token in its conversation."""
    offset: Tensor
    """(R,) int64, what is added to a position to get the rotary position."""
    room: Tensor
    """(R,) int64, most tokens of the answer."""
    alive: Tensor
    """(R,) bool, whether the answer goes on."""
    noise: Tensor
    """(R, L) float32, uniform in [0, 1), a number for each token of the answer."""
    tokens: Tensor
    """(R, L) int64, the answer; what stands behind its end means nothing."""
    logprobs: Tensor
    """(R, L) float32, log-probability of each token of the answer."""
    number: Tensor
    """(1,) int64, how many tokens were sampled before the next one."""
    finite: Tensor
    """() bool, whether all logits were finite that an answer was sampled from."""

    @classmethod
    def empty(cls, rows: int, length: int, device: torch.device) -> "Rows":
        """Rows that write nothing, with answers of at most `length` tokens."""
        order, token, position, offset, room = torch.zeros(5, rows, dtype=torch.long, device=device)
        return cls(
            order=order,
            token=token,
            position=position,
            offset=offset,
            room=room,
            alive=torch.zeros(rows, dtype=torch.bool, device=device),
            noise=torch.zeros(rows, length, device=device),
            tokens=torch.zeros(rows, length, dtype=torch.long, device=device),
            logprobs=torch.zeros(rows, length, device=device),
            number=torch.zeros(1, dtype=torch.long, device=device),
            finite=torch.ones((), dtype=torch.bool, device=device),
        )

    def begin(self, start: Tensor, room: Tensor, offset: Tensor, noise: Tensor) -> None:
        """Begin new answers in the first N rows; the others write nothing.

        Args:
            start: (N,) tokens of the conversations, (N,) `room`, (N,) `offset`, (N, up to L) `noise` as above.
        """
        for name in _BY_ROW:
            getattr(self, name).zero_()
        count = len(start)
        self.order.copy_(torch.arange(len(self.order), device=start.device))
        self.position[:count], self.room[:count], self.offset[:count] = start, room, offset
        self.noise[:count, : noise.shape[1]] = noise
        self.alive[:count] = True
        self.number.zero_()
        self.finite.fill_(True)

    def write(self, logits: Tensor, temperature: float, stops: Tensor) -> None:
        """Sample the next token of each row.

        Args:
            logits: (R, vocabulary) behind what each row has read.
            stops: (S,) int64, tokens that end an answer.
        """
        token, logprob, finite = draw(logits, temperature, self.noise.index_select(1, self.number)[:, 0])
        self.finite.logical_and_((finite | ~self.alive).all())
        self.token.copy_(token)
        self.tokens.index_copy_(1, self.number, token[:, None])
        self.logprobs.index_copy_(1, self.number, logprob[:, None])
        self.number.add_(1)
        self.alive.logical_and_((token[:, None] != stops).all(1) & (self.number < self.room))

    def living(self) -> int:
        """How many answers go on. This waits for the device.

        Raises:
            TrainingStopped: a logit was not finite that an answer was sampled from.
        """
        if not self.finite:
            raise TrainingStopped(NOT_FINITE)
        return int(self.alive.sum())

    def front(self, rows: int) -> "Rows":
        """The first rows, as views."""
        return replace(self, **{name: getattr(self, name)[:rows] for name in _BY_ROW})

    def swap(self, a: Tensor, b: Tensor) -> None:
        """Exchange the rows `a` (N,) with the rows `b` (N,)."""
        for name in _BY_ROW:
            each = getattr(self, name)
            each[a], each[b] = each[b], each[a]


_BY_ROW = [each.name for each in fields(Rows) if each.name not in ("number", "finite")]
