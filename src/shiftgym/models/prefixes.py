"""Sequences that begin alike, packed so that what they share runs through the model once.

A prefix tree is one row: a token is a node, its position is its depth, and it attends to the nodes on its way from the
root. For a causal model this is exact: each token sees what it would see in a row of its own. Eight answers to one
prompt, or all decisions of a route, whose history does not depend on the answers, become one row each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from shiftgym.models.conversations.pictures import Pictures


@dataclass(slots=True)
class Tree:
    """One row."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    """Which sequences are in it, by their index."""
    paths: list[list[int]] = field(default_factory=list)
    """Of each member, the node of each of its tokens."""
    starts: list[int] = field(default_factory=list)
    """Of each member, the first node that is its own and not an earlier member's."""

    def __len__(self) -> int:
        return len(self.ids)

    def visible(self) -> Tensor:
        """(n, n) bool, whether a node (first) attends to another (second)."""
        seen = torch.zeros(len(self), len(self), dtype=torch.bool)
        stops = [*self.starts[1:], len(self)]
        for path, start, stop in zip(self.paths, self.starts, stops, strict=True):
            own = stop - start
            seen[start:stop, path[: len(path) - own]] = True
            seen[start:stop, start:stop] = torch.ones(own, own, dtype=torch.bool).tril_()
        return seen


def pack_prefix_trees(
    sequences: Sequence[list[int]], limit: int, order: Sequence[list[int]] | None = None
) -> list[Tree]:
    """Pack sequences into trees of at most `limit` nodes; a sequence joins another if it shares half of its tokens.

    Limit 0 gives every sequence a tree of its own, in their order.

    Args:
        order: what the sequences are sorted by, where it is not their own tokens: the same with other names.
    """
    trees: list[Tree] = []
    path: list[int] = []
    previous: list[int] = []
    # In sorted order a sequence shares more with its predecessor than with any sequence before.
    for index in (
        sorted(range(len(sequences)), key=(order or sequences).__getitem__) if limit else range(len(sequences))
    ):
        sequence = sequences[index]
        shared = _shared(previous, sequence) if limit else 0
        if not trees or 2 * shared < len(sequence) or len(trees[-1]) + len(sequence) - shared > limit:
            trees.append(Tree())
            shared, path = 0, []
        tree, start = trees[-1], len(trees[-1])
        tree.ids += sequence[shared:]
        tree.positions += range(shared, len(sequence))
        path = path[:shared] + list(range(start, len(tree)))
        tree.members.append(index)
        tree.paths.append(path)
        tree.starts.append(start)
        previous = sequence
    return trees


def _shared(a: list[int], b: list[int]) -> int:
    """The number of leading tokens that two sequences share."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


@dataclass(frozen=True, slots=True)
class Packed:
    """Trees as the input of a model, padded on the right: B rows, T columns."""

    ids: Tensor
    """(B, T) int64."""
    positions: Tensor
    """(B, T) int64, depth of each node; 0 at padding."""
    visible: Tensor | None
    """(B, T, T) bool; None if no row branches, so that a plain causal mask will do. Padding attends to itself."""
    lengths: Tensor
    """(B,) int64."""
    rotary: Tensor | None = None
    """(3, B, T) int64, positions in time, height and width for models that want them."""
    shown: list[int] = field(default_factory=list)
    """The pictures in the rows, by number, in the order of their tokens."""
    seen: dict[str, Tensor] = field(default_factory=dict)
    """Further inputs of the model, for those pictures."""
    plain: bool = False
    """The rows are whole conversations of a model that numbers their positions itself."""

    @classmethod
    def of(
        cls,
        trees: Sequence[Tree],
        device: torch.device,
        pictures: Pictures | None = None,
        *,
        plain: bool = False,
        width: int | None = None,
    ) -> "Packed":
        """Pack rows.

        Args:
            pictures: those that the tokens stand for; None for a text model.
            plain: no row branches, and the model is given what its own processor would give it, positions not among it.
            width: the columns that there are to be; by default as many as the longest row has.
        """
        width = width or max(map(len, trees))
        visible = None
        if any(len(tree.members) > 1 for tree in trees):
            visible = torch.eye(width, dtype=torch.bool).repeat(len(trees), 1, 1)
            for row, tree in enumerate(trees):
                visible[row, : len(tree), : len(tree)] = tree.visible()
        ids = torch.tensor([tree.ids + [0] * (width - len(tree)) for tree in trees])
        positions = torch.tensor([tree.positions + [0] * (width - len(tree)) for tree in trees])
        shown: list[int] = []
        seen: dict[str, Tensor] = {}
        rotary = None
        if pictures is not None:
            shown = [number for tree in trees for number in pictures.order(tree.ids)]
            seen = pictures.batch([tree.ids for tree in trees], width) if plain else pictures.inputs(shown)
            ids = torch.where(ids < 0, pictures.token, ids)
            if pictures.rotary and not plain:
                rotary = torch.zeros(3, *ids.shape, dtype=torch.long)
                for row, tree in enumerate(trees):
                    for path in tree.paths:
                        rotary[:, row, path] = pictures.positions([tree.ids[node] for node in path])
        # Moved last, see `collate`.
        return cls(
            ids=ids.to(device),
            positions=positions.to(device),
            visible=visible.to(device) if visible is not None else None,
            lengths=torch.tensor([len(tree) for tree in trees]).to(device),
            rotary=rotary.to(device) if rotary is not None else None,
            shown=shown,
            # They may lie where another model is, such as one that is not dealt out to ranks yet.
            seen={name: value.to(device) for name, value in seen.items()},
            plain=plain,
        )

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What the model takes, but for the attention mask: tokens (B, T), positions (B, T) or (3, B, T), and what it
        takes for pictures."""
        if self.plain:
            return {"input_ids": self.ids, **self.seen}
        positions = self.positions if self.rotary is None else self.rotary
        return {"input_ids": self.ids, "position_ids": positions, **self.seen}

    def attention_mask(self, dtype: torch.dtype) -> Tensor:
        """What transformers takes: (B, T) int64, 0 at padding, or (B, 1, T, T) to be added to attention scores."""
        if self.visible is None:
            return (torch.arange(self.ids.shape[1], device=self.ids.device) < self.lengths[:, None]).long()
        least = torch.finfo(dtype).min
        return torch.zeros(self.visible.shape, dtype=dtype, device=self.ids.device).masked_fill_(~self.visible, least)[
            :, None
        ]


def locate(trees: Sequence[Tree]) -> tuple[Tensor, Tensor, Tensor]:
    """Where the N sequences of some trees are: row (N,), nodes (N, longest), last node (N,), all int64.

    After the end of a shorter sequence its root is repeated.
    """
    count, longest = sum(len(tree.members) for tree in trees), max(len(path) for tree in trees for path in tree.paths)
    rows, ends = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.long)
    paths = torch.zeros(count, longest, dtype=torch.long)
    for row, tree in enumerate(trees):
        for member, path in zip(tree.members, tree.paths, strict=True):
            rows[member], ends[member] = row, path[-1]
            paths[member, : len(path)] = torch.tensor(path)
    return rows, paths, ends


def decoder_config(model: PreTrainedModel) -> PreTrainedConfig:
    """The configuration of the text decoder; for a text model, its own."""
    config: PreTrainedConfig = model.get_decoder().config  # type: ignore[no-untyped-call]
    return config


def decoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layers of the text decoder, in order; none where the model does not list them."""
    trunk, count = model.get_decoder(), decoder_config(model).num_hidden_layers  # type: ignore[no-untyped-call]
    lists = (each for each in trunk.modules() if isinstance(each, nn.ModuleList) and len(each) == count)
    return list(next(lists, ()))


KINDS = ("layer_types", "layers_block_type", "block_types", "attention_layers")
"""Where configurations list the kind of each layer; the first that is there counts."""


FORMER = {"attention": "full_attention", "mamba": "linear_attention", "recurrent": "linear_attention"}
"""What older versions of transformers call some kinds, 5.10 among them."""


def layer_kinds(model: PreTrainedModel) -> list[str]:
    """The kind of each layer of the text decoder by its configuration; empty where all are of one kind."""
    config = decoder_config(model)
    listed = [getattr(config, name, None) or [] for name in KINDS]
    return [FORMER.get(str(kind), str(kind)) for kind in next(filter(None, listed), [])]


def sliding_window(model: PreTrainedModel) -> int | None:
    """The tokens that a layer of sliding attention attends to; all layers are such where no kinds are listed."""
    window: int | None = getattr(decoder_config(model), "sliding_window", None)
    return window if "sliding_attention" in (layer_kinds(model) or ["sliding_attention"]) else None
