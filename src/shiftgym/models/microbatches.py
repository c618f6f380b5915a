"""From conversations to padded tensors.

Conversations that begin alike share a row (`models/prefixes.py`). Padding is kept small by sorting: a minibatch is cut
into microbatches of rows of similar length, and each is scaled so that the gradients of all microbatches add up to the
gradient of the minibatch's mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.conversations.pictures import Pictures
from shiftgym.models.prefixes import Packed, Tree, pack_prefix_trees
from shiftgym.models.score import TokenIndices

TREE = 1024
"""Most tokens in a row that several conversations share."""


@dataclass(frozen=True, slots=True)
class Microbatch:
    """Conversations that run through the model together. A counts answer tokens, N attempts, both in the order of
    `members`."""

    packed: Packed
    """The tokens, (B, T)."""
    members: list[int]
    """Index in the minibatch of each conversation."""
    predictors: TokenIndices
    """Row and column of the token before each answer token, (A,) each."""
    targets: Tensor
    """(A,) int64, the answer tokens."""
    attempts: TokenIndices
    """Row and column of the token before each answer, (N,) each: where an attempt's value is read."""
    weights: Tensor
    """(A,) float32, 1 for each token of a conversation without weights."""
    logprobs: Tensor
    """(A,) float32."""
    reference: Tensor
    """(A,) float32."""
    returns: Tensor
    """(N,) float32."""
    tokens: int
    """Tokens of all conversations, without padding. Shared tokens count each time, as they do in the paper's D."""
    minibatch_answer_tokens: int
    """Answer tokens of the whole minibatch that this is a part of: what a mean over tokens divides by."""
    minibatch_attempts: int
    """Attempts of the whole minibatch."""

    @property
    def answer_tokens(self) -> int:
        """A."""
        return len(self.targets)


Pass = list[Tree]
"""The rows of one microbatch."""


def padded_tokens(rows: Pass) -> int:
    """Tokens of these rows, padding included."""
    return len(rows) * columns(rows)


def columns(rows: Pass) -> int:
    """What these rows are padded to."""
    return max(map(len, rows))


def passes(
    minibatch: list[Conversation],
    tokens_per_pass: int,
    *,
    trees: bool,
    pictures: Pictures | None = None,
    plain: bool = False,
    order: Sequence[list[int]] | None = None,
) -> list[Pass]:
    """Cut a minibatch into passes of at most `tokens_per_pass` padded tokens; a single longer conversation goes alone.

    Args:
        trees: whether conversations that begin alike may share a row.
        pictures: those that the conversations contain.
        plain: see `Packed.of`.
        order: see `pack_prefix_trees`.
    """

    def beside(tree: Tree) -> int:
        """Rows may be in one batch if this is the same for them."""
        return pictures.beside(tree.ids) if plain and pictures is not None else 0

    limit = min(TREE, tokens_per_pass) if trees else 0
    packed = pack_prefix_trees([each.ids for each in minibatch], limit, order)
    found: list[Pass] = []
    for tree in sorted(packed, key=lambda tree: (beside(tree), len(tree))):
        last = found[-1] if found else []
        if not last or (len(last) + 1) * len(tree) > tokens_per_pass or beside(last[-1]) != beside(tree):
            found.append([])
        found[-1].append(tree)
    return found


def microbatches(
    minibatch: list[Conversation],
    tokens_per_pass: int,
    device: torch.device,
    *,
    trees: bool,
    pictures: Pictures | None = None,
    plain: bool = False,
) -> Iterator[Microbatch]:
    """The passes of a minibatch, collated one after another; see `passes` and `collate`."""
    for rows in passes(minibatch, tokens_per_pass, trees=trees, pictures=pictures, plain=plain):
        yield collate(rows, minibatch, device, pictures, plain=plain)


def collate(
    trees: Pass,
    minibatch: list[Conversation],
    device: torch.device,
    pictures: Pictures | None = None,
    *,
    plain: bool = False,
    width: int | None = None,
) -> Microbatch:
    """Pad these rows of a minibatch on the right and lay their per-token and per-attempt values out flat.

    All tensors are made on the CPU before the first is moved, since that waits until a GPU is done with the last pass.

    Args:
        pictures: those that the conversations contain.
        plain, width: see `Packed.of`.
    """
    predictors: list[tuple[int, int]] = []
    attempts: list[tuple[int, int]] = []
    targets: list[int] = []
    for row, tree in enumerate(trees):
        for member, path in zip(tree.members, tree.paths, strict=True):
            ids = minibatch[member].ids
            for start, stop in minibatch[member].spans:
                attempts.append((row, path[start - 1]))
                predictors += [(row, node) for node in path[start - 1 : stop - 1]]
                targets += ids[start:stop]
    members = [member for tree in trees for member in tree.members]
    rows = [minibatch[member] for member in members]

    def flat(values: list[float]) -> Tensor:
        """(A,) or (N,) float32."""
        return torch.tensor(values, dtype=torch.float32)

    def indices(pairs: list[tuple[int, int]]) -> TokenIndices:
        rows, columns = (torch.tensor([pair[at] for pair in pairs], dtype=torch.long) for at in range(2))
        return rows, columns

    made = (
        *indices(predictors),
        torch.tensor(targets, dtype=torch.long),
        *indices(attempts),
        flat([value for row in rows for value in row.weights or [1.0] * row.answer_tokens]),
        flat([value for row in rows for value in row.logprobs]),
        flat([value for row in rows for value in row.reference]),
        flat([value for row in rows for value in row.returns]),
    )
    packed = Packed.of(trees, device, pictures, plain=plain, width=width)
    first, second, answers, first_attempt, second_attempt, *values = (each.to(device) for each in made)
    weights, logprobs, reference, returns = values
    return Microbatch(
        packed=packed,
        members=members,
        predictors=(first, second),
        targets=answers,
        attempts=(first_attempt, second_attempt),
        weights=weights,
        logprobs=logprobs,
        reference=reference,
        returns=returns,
        tokens=sum(len(each.ids) for each in rows),
        minibatch_answer_tokens=sum(each.answer_tokens for each in minibatch),
        minibatch_attempts=sum(len(each.spans) for each in minibatch),
    )
