"""From conversations to padded tensors.

Padding is kept small by sorting: a minibatch is cut into passes of similar length, and each pass is scaled so that
the gradients of all passes add up to the gradient of the minibatch's mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sequence:
    """One conversation to learn from. Only the tokens in `spans` are trained; prompts and feedback are context."""

    ids: list[int]
    """All tokens."""
    spans: list[tuple[int, int]]
    """Start and stop of each answer, one a turn, its end token included."""
    advantages: list[float] = field(default_factory=list)
    """Advantage of each turn; empty for SFT, as are the lists that follow."""
    logprobs: list[float] = field(default_factory=list)
    """Log-probability of each answer token under the policy that sampled it."""
    reference: list[float] = field(default_factory=list)
    """The same under the model that the branch started with; empty without a KL term."""
    returns: list[float] = field(default_factory=list)
    """Value target of each turn; empty without a value head."""

    @property
    def answer_tokens(self) -> int:
        return sum(stop - start for start, stop in self.spans)


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences of one pass, padded on the right to (B, T). A counts answer tokens in row-major order, N turns."""

    ids: Tensor
    """(B, T) int64."""
    attention_mask: Tensor
    """(B, T) int64, 0 at padding."""
    answers: Tensor
    """(B, T) bool, true at answer tokens."""
    turns: tuple[Tensor, Tensor]
    """Row and position of the token before each answer, (N,) int64 each: where a turn's value is read."""
    advantages: Tensor
    """(A,) float32, each turn's advantage at all of its tokens."""
    logprobs: Tensor
    """(A,) float32."""
    reference: Tensor
    """(A,) float32."""
    returns: Tensor
    """(N,) float32."""
    tokens: int
    """Tokens that are no padding."""
    answer_tokens: int
    """A."""
    minibatch_answer_tokens: int
    """Answer tokens of the whole minibatch that this pass is a part of: what a mean over tokens divides by."""
    minibatch_turns: int
    """Turns of the whole minibatch."""


def passes(minibatch: list[Sequence], tokens_per_pass: int, device: torch.device) -> Iterator[Batch]:
    """Cut a minibatch into passes of at most `tokens_per_pass` padded tokens (a single longer sequence goes alone)."""
    answer_tokens = sum(sequence.answer_tokens for sequence in minibatch)
    turns = sum(len(sequence.spans) for sequence in minibatch)
    rows: list[Sequence] = []
    for sequence in sorted(minibatch, key=lambda sequence: len(sequence.ids)):
        if rows and (len(rows) + 1) * len(sequence.ids) > tokens_per_pass:
            yield collate(rows, answer_tokens, turns, device)
            rows = []
        rows.append(sequence)
    if rows:
        yield collate(rows, answer_tokens, turns, device)


def collate(rows: list[Sequence], minibatch_answer_tokens: int, minibatch_turns: int, device: torch.device) -> Batch:
    """Pad `rows` on the right and lay their per-token and per-turn values out flat."""
    length = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (length - len(row.ids)) for row in rows])
    lengths = torch.tensor([len(row.ids) for row in rows])
    answers = torch.zeros(len(rows), length, dtype=torch.bool)
    for index, row in enumerate(rows):
        for start, stop in row.spans:
            answers[index, start:stop] = True
    turns = [(index, start - 1) for index, row in enumerate(rows) for start, _ in row.spans]

    def flat(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    return Batch(
        ids=ids.to(device),
        attention_mask=(torch.arange(length) < lengths[:, None]).long().to(device),
        answers=answers.to(device),
        turns=(
            torch.tensor([row for row, _ in turns], device=device),
            torch.tensor([position for _, position in turns], device=device),
        ),
        advantages=flat(
            [
                advantage
                for row in rows
                for advantage, (start, stop) in zip(row.advantages, row.spans, strict=False)
                for _ in range(start, stop)
            ]
        ),
        logprobs=flat([value for row in rows for value in row.logprobs]),
        reference=flat([value for row in rows for value in row.reference]),
        returns=flat([value for row in rows for value in row.returns]),
        tokens=int(lengths.sum()),
        answer_tokens=sum(row.answer_tokens for row in rows),
        minibatch_answer_tokens=minibatch_answer_tokens,
        minibatch_turns=minibatch_turns,
    )
