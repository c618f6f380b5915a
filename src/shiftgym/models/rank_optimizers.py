"""Optimizers over weights that are cut up among ranks.

AdamW treats every number by itself, so each rank steps its parts. Muon needs whole matrices, and the blocks of 8-bit
moments are those of whole weights, so there each weight has an owner: one rank that gets the whole gradient, steps the
whole weight, and gives it to all.

Their states are written as one process would write them, and loaded on any number of ranks.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from shiftgym.models.parallel import Ranks
from shiftgym.models.sharding import is_part, joined, local_tensor, part_of, put, whole_tensor

Groups = list[dict[str, Any]]
Make = Callable[[Groups], torch.optim.Optimizer]
"""Makes an optimizer of some groups of parameters."""

States = dict[str, Any]
"""What `state_dict` gives: `state` of each parameter by its number, and `param_groups`."""


class ByParts:
    """An optimizer that treats every number by itself, over what each rank holds of the weights."""

    def __init__(self, make: Make, groups: Groups, ranks: Ranks) -> None:
        self._ranks = ranks
        self._weights: list[nn.Parameter] = [weight for group in groups for weight in group["params"]]
        # In the memory of the weights, but plain tensors, which the kernels of optimizers are made for.
        self._parts = [nn.Parameter(local_tensor(weight)) for weight in self._weights]
        parts = iter(self._parts)
        self._inner = make([{**group, "params": [next(parts) for _ in group["params"]]} for group in groups])

    @property
    def param_groups(self) -> Groups:
        return self._inner.param_groups

    def step(self) -> None:
        for part, weight in zip(self._parts, self._weights, strict=True):
            part.data = local_tensor(weight)
            part.grad = None if weight.grad is None else local_tensor(weight.grad)
        self._inner.step()

    def zero_grad(self, *, set_to_none: bool = True) -> None:
        for each in (*self._parts, *self._weights):
            each.grad = None

    def state_dict(self) -> States:
        """The states of whole weights, on the CPU of the first rank; on others without values. All ranks must ask."""
        states = self._inner.state_dict()
        found = {number: dict(self._whole(number, state)) for number, state in states["state"].items()}
        return {**states, "state": found}

    def _whole(self, number: int, state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in state.items():
            whole = joined(value, self._weights[number]) if self._is_part(number, value) else value
            if self._ranks.first:
                yield name, whole.cpu() if isinstance(whole, Tensor) else whole

    def load_state_dict(self, states: States) -> None:
        """Take this rank's parts of the states of whole weights."""
        found = {}
        for number, state in states["state"].items():
            weight = self._weights[number]
            found[number] = {
                # A copy, so that the whole is freed.
                name: part_of(value, weight).clone() if self._is_part(number, value) else value
                for name, value in state.items()
            }
        self._inner.load_state_dict({**states, "state": found})

    def _is_part(self, number: int, value: Any) -> bool:
        """Whether this is a state in the shape of a weight that is cut up, whole or in parts."""
        return is_part(self._weights[number]) and isinstance(value, Tensor) and value.ndim > 0


class ByOwners:
    """An optimizer for whole weights, each of which is stepped by the rank that owns it."""

    def __init__(self, make: Make, groups: Groups, ranks: Ranks) -> None:
        self._ranks = ranks
        self._weights: list[nn.Parameter] = [weight for group in groups for weight in group["params"]]
        self._owners = _owners([weight.numel() for weight in self._weights], ranks.count)
        self._own: dict[int, nn.Parameter] = {}
        numbers = iter(range(len(self._weights)))
        mine: Groups = []
        for group in groups:
            members = [next(numbers) for _ in group["params"]]
            for number in members:
                if self._owners[number] == ranks.rank:
                    self._own[number] = nn.Parameter(_nothing(self._weights[number]))
            mine.append({**group, "params": [self._own[number] for number in members if number in self._own]})
        self._sizes = [len(group["params"]) for group in groups]
        self._inner = make(mine)

    @property
    def param_groups(self) -> Groups:
        return self._inner.param_groups

    def step(self) -> None:
        """One step. Of what it does not own, a rank holds one weight and one gradient at a time as a whole."""
        learned = [number for number, weight in enumerate(self._weights) if weight.grad is not None]
        for number in learned:
            weight, gradient = whole_tensor(self._weights[number]), whole_tensor(self._weights[number].grad)
            if number in self._own:
                self._own[number].data, self._own[number].grad = weight, gradient
        self._inner.step()
        for number in learned:
            weight = self._weights[number]
            if number in self._own:
                whole = self._own[number].detach()
                self._own[number].data, self._own[number].grad = _nothing(weight), None
            else:
                whole = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device)
            dist.broadcast(whole, self._owners[number])
            put(whole, weight)

    def zero_grad(self, *, set_to_none: bool = True) -> None:
        for weight in self._weights:
            weight.grad = None

    def state_dict(self) -> States:
        """The states of all weights, on the CPU of the first rank; on others without values. All ranks must ask."""
        inner = self._inner.state_dict()
        mine = {number: inner["state"].get(local) for local, number in enumerate(self._own)}
        found = {}
        for number, owner in enumerate(self._owners):
            state = self._sent(owner, mine.get(number))
            if state is not None:
                found[number] = state
        numbers = iter(range(len(self._weights)))
        groups = [
            {**group, "params": [next(numbers) for _ in range(size)]}
            for group, size in zip(inner["param_groups"], self._sizes, strict=True)
        ]
        return {**inner, "state": found, "param_groups": groups}

    def _sent(self, owner: int, state: dict[str, Any] | None) -> dict[str, Any] | None:
        """On the first rank the state that the owner has of a weight; None on others, or where there is none."""
        if self._ranks.rank == owner and state is not None:
            state = {name: value.cpu() if isinstance(value, Tensor) else value for name, value in state.items()}
        if owner == 0:
            return state if self._ranks.first else None
        message: list[Any] = [state]
        if self._ranks.rank == owner:
            dist.send_object_list(message, 0)
        elif self._ranks.first:
            dist.recv_object_list(message, owner)
        return message[0] if self._ranks.first else None

    def load_state_dict(self, states: States) -> None:
        """Take the states of the weights that this rank owns."""
        local = {number: at for at, number in enumerate(self._own)}
        state = {local[number]: value for number, value in states["state"].items() if number in local}
        groups = [
            {**group, "params": [local[number] for number in group["params"] if number in local]}
            for group in states["param_groups"]
        ]
        self._inner.load_state_dict({**states, "state": state, "param_groups": groups})


def _owners(sizes: list[int], ranks: int) -> list[int]:
    """The rank that owns each weight of these sizes: the largest weights first, each to whom has least."""
    loads, found = [0] * ranks, [0] * len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        owner = min(range(ranks), key=loads.__getitem__)
        found[number] = owner
        loads[owner] += sizes[number]
    return found


def _nothing(weight: nn.Parameter) -> Tensor:
    """(...,) zeros in the shape of a weight, which take no memory."""
    return torch.zeros((), dtype=weight.dtype, device=weight.device).expand(weight.shape)
