"""Gradients of a minibatch whose passes are dealt to ranks.

All ranks run equally many passes, since each takes part in gathering the weights of every layer and in summing its
gradients. `fully_shard` sums those of weights that are cut up. Those of weights that every rank holds whole (an
adapter, a critic) are summed here, once a minibatch.

A pass that runs out of memory on one rank cannot be made again in halves, since the others wait for it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from shiftgym.models.microbatches import Pass, columns
from shiftgym.models.parallel import Ranks
from shiftgym.models.sharding import is_part, local_tensor, whole_tensor


@dataclass(frozen=True, slots=True)
class Dealt:
    """What one rank does in one round."""

    rows: Pass
    width: int
    """The columns that they are padded to: those of the pass that they were cut from. So the ranks together compute,
    and are charged, what one process would."""
    weight: float
    """1, or 0 if the rows only keep the other ranks company. Such a pass adds nothing to a gradient and is not
    charged."""

    @property
    def tokens(self) -> int:
        """Padding included."""
        return len(self.rows) * self.width


def dealt(passes: Sequence[Pass], ranks: Ranks) -> list[Dealt]:
    """The passes that this rank runs, as many as every other.

    Large passes are cut in two until each rank has one of each round. In a round either all show pictures or none does,
    since an encoder's weights have gradients only where there are some.
    """
    whole = [Dealt(rows, columns(rows), 1.0) for rows in passes]
    if ranks.alone:
        return whole
    found: list[Dealt] = []
    for shown in (False, True):
        alike = [each for each in whole if _shows(each.rows) is shown]
        while len(alike) % ranks.count and any(len(each.rows) > 1 for each in alike):
            largest = max((each for each in alike if len(each.rows) > 1), key=lambda each: each.tokens)
            at, half = alike.index(largest), len(largest.rows) // 2
            alike[at : at + 1] = [replace(largest, rows=rows) for rows in (largest.rows[:half], largest.rows[half:])]
        # Passes of a round wait for each other, so they are of about the same size.
        alike.sort(key=lambda each: each.tokens)
        for start in range(0, len(alike), ranks.count):
            together = alike[start : start + ranks.count]
            mine = ranks.rank < len(together)
            found.append(together[ranks.rank] if mine else replace(alike[0], weight=0.0))
    return found


def _shows(rows: Pass) -> bool:
    """Whether pictures are in these rows."""
    return any(token < 0 for tree in rows for token in tree.ids)


def sum_gradients(modules: Iterable[nn.Module], ranks: Ranks) -> None:
    """Sum over ranks the gradients of weights that are whole on each. To be called after the last pass of a minibatch.

    A weight has a gradient on all ranks if it has one on any.
    """
    if ranks.alone:
        return
    weights = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    whole = [weight for weight in weights if not is_part(weight)]
    if not whole:
        return
    device = whole[0].device
    reached = ranks.sum(torch.tensor([float(weight.grad is not None) for weight in whole], device=device)).tolist()
    learned = [weight for weight, times in zip(whole, reached, strict=True) if times]
    grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in learned]
    if not grads:
        return
    # One message for all.
    sums = ranks.sum(torch.cat([grad.float().flatten() for grad in grads]))
    for weight, total in zip(learned, torch.split(sums, [grad.numel() for grad in grads]), strict=True):
        weight.grad = total.view_as(weight).to(weight.dtype)


def clip_gradients(module: nn.Module, limit: float) -> float:
    """Scale the gradients of a module down to a norm of at most `limit`; their norm before, the same on all ranks. All
    ranks must call this."""
    grads = [weight.grad for weight in module.parameters() if weight.grad is not None]
    parts = [grad for grad in grads if is_part(grad)]
    if not parts:
        return float(nn.utils.clip_grad_norm_(module.parameters(), limit))
    whole = nn.utils.get_total_norm([grad for grad in grads if not is_part(grad)])
    norm = math.hypot(float(whole_tensor(nn.utils.get_total_norm(parts))), float(whole))
    # As torch does it.
    if (factor := limit / (norm + 1e-6)) < 1:
        torch._foreach_mul_([local_tensor(grad) for grad in grads], factor)
    return norm


def weights_are_finite(modules: Iterable[nn.Module], ranks: Ranks) -> bool:
    """Whether every weight of these modules is a finite number, on all ranks. All ranks must call this."""
    weights = [local_tensor(each) for module in modules for each in module.parameters()]
    # Quantised weights are whole numbers, which are always finite. A rank may hold no row of a small weight.
    weights = [each for each in weights if each.is_floating_point() and each.numel()]
    # The largest weight is found in one pass over all, and waited for once.
    return not ranks.agree(not math.isfinite(nn.utils.get_total_norm(weights, math.inf)))
