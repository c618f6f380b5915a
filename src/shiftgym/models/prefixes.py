"""Sequences that begin alike, packed so that every shared beginning runs through the model once.

Sequences become prefix trees, a row each: a token is a node, it attends to the nodes on its way from the root, and its
position is its depth. For a causal model this is exact: each token sees what it would see in a row of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(slots=True)
class _Tree:
    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    branches: list[tuple[list[int], int]] = field(default_factory=list)
    """Of each sequence: where it leaves its predecessor's path, as that path, and its first own node."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Packed sequences: R rows, a tree each, padded on the right to L nodes."""

    ids: Tensor
    """(R, L) int64."""
    positions: Tensor
    """(R, L) int64, depth of each node, 0 at padding."""
    visible: Tensor
    """(R, L, L) bool, whether a node (first) attends to another (second). Padding attends to itself."""
    rows: list[int]
    """Row of each sequence."""
    paths: list[list[int]]
    """Node of each token of each sequence."""

    @property
    def size(self) -> int:
        """Tokens to be run, padding included."""
        return self.ids.numel()


def plant(sequences: Sequence[list[int]], limit: int) -> Forest:
    """Pack sequences into trees of at most `limit` nodes (a single longer sequence is a tree of its own)."""
    trees: list[_Tree] = []
    rows, paths = [0] * len(sequences), [[0]] * len(sequences)
    path: list[int] = []
    previous: list[int] = []
    # In sorted order a sequence shares more with its predecessor than with any sequence before.
    for index in sorted(range(len(sequences)), key=sequences.__getitem__):
        sequence = sequences[index]
        shared = _shared(previous, sequence)
        if not trees or len(trees[-1].ids) + len(sequence) - shared > limit:
            trees.append(_Tree())
            shared, path = 0, []
        tree, start = trees[-1], len(trees[-1].ids)
        tree.ids += sequence[shared:]
        tree.positions += range(shared, len(sequence))
        tree.branches.append((path[:shared], start))
        path = path[:shared] + list(range(start, len(tree.ids)))
        rows[index], paths[index] = len(trees) - 1, path
        previous = sequence
    length = max(len(tree.ids) for tree in trees)
    visible = torch.eye(length, dtype=torch.bool).repeat(len(trees), 1, 1)
    for row, tree in enumerate(trees):
        ends = [start for _, start in tree.branches[1:]] + [len(tree.ids)]
        for (above, start), stop in zip(tree.branches, ends, strict=True):
            visible[row, start:stop, above] = True
            visible[row, start:stop, start:stop] = torch.ones(stop - start, stop - start, dtype=torch.bool).tril_()
    return Forest(
        ids=torch.tensor([tree.ids + [0] * (length - len(tree.ids)) for tree in trees]),
        positions=torch.tensor([tree.positions + [0] * (length - len(tree.ids)) for tree in trees]),
        visible=visible,
        rows=rows,
        paths=paths,
    )


def _shared(a: list[int], b: list[int]) -> int:
    """How many tokens two sequences begin with alike."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
