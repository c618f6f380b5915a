"""How the decode steps of a batch are run.

Growing: stores grow in small steps, rows that have ended are left out at once, and after every step the device is asked
which answers go on. That is the least work, so it is the way of a CPU.

Fixed: stores stay where they are, numbers of rows and columns are rounded up, and the device is asked once in eight
steps. On CUDA such steps are captured and replayed: a small batch spends its time on launching some seven hundred
kernels a step. Eight, since waiting costs about a tenth of a step and answers that have ended are computed on for half
as many steps on average.
"""

from collections.abc import Callable, Collection, Hashable
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.models.generation.buffers import FixedCache, bucket_rows
from shiftgym.models.generation.cache import RaggedCache
from shiftgym.models.generation.rows import Rows
from shiftgym.models.generation.workspace import workspace

StepKind = Literal["auto", "growing", "fixed", "captured"]
"""`auto` is captured on CUDA and growing elsewhere; `fixed` are the steps that would be captured, launched as usual."""


class GrowingSteps:
    """Steps over stores that grow."""

    WAIT = 1
    """Steps that are run before the device is asked again."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def cache(self, layers: int) -> RaggedCache:
        return RaggedCache(layers)

    def begin(self, cache: RaggedCache, slots: list[int], length: int) -> Rows:
        """Keep these rows of a cache, in this order; rows for their answers of at most `length` tokens, and maybe some
        more."""
        cache.select(slots)
        return Rows.empty(len(slots), length, self.model.device)

    def stops(self, tokens: Collection[int]) -> Tensor:
        """(S,) int64, the tokens that end an answer."""
        return torch.tensor(sorted(tokens), device=self.model.device)

    def computed(self, living: int, before: int) -> int:
        """How many rows are computed from now on, of which so many are living. Rows change places seldom."""
        return living if living < before * 15 // 16 else before

    def run(self, step: Callable[[], None], times: int, key: Hashable) -> None:
        """Run a step so many times. Steps of the same key differ only in values that they read."""
        for _ in range(times):
            step()


class FixedSteps(GrowingSteps):
    """Steps over stores that stay where they are; `captured` on CUDA alone."""

    WAIT = 8

    def __init__(self, model: PreTrainedModel, *, captured: bool) -> None:
        super().__init__(model)
        self._workspace, self._captured = workspace(model), captured

    def cache(self, layers: int) -> FixedCache:
        return self._workspace.cache(layers)

    def begin(self, cache: RaggedCache, slots: list[int], length: int) -> Rows:
        assert isinstance(cache, FixedCache)
        return self._workspace.begin(cache, self.model, slots, length)

    def stops(self, tokens: Collection[int]) -> Tensor:
        """(S,) int64."""
        return self._workspace.stops(tokens)

    def computed(self, living: int, before: int) -> int:
        return bucket_rows(living)

    def run(self, step: Callable[[], None], times: int, key: Hashable) -> None:
        if self._captured:
            self._workspace.replay(key, step, times)
        else:
            super().run(step, times, key)


def steps_of(model: PreTrainedModel, kind: StepKind) -> GrowingSteps:
    if kind == "auto":
        kind = "captured" if model.device.type == "cuda" else "growing"
    return GrowingSteps(model) if kind == "growing" else FixedSteps(model, captured=kind == "captured")
