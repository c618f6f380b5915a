"""What the fixed decode steps of a model read and write, kept from one batch to the next.

Capturing a step of a large model takes about a tenth of a second and a batch needs a few, so captured steps are kept as
long as their model, and with them the memory whose addresses they hold. Training updates weights in place, so captured
steps see them; where weights have moved, or an adapter was switched, everything is captured anew.

Between batches the memory is missing for training. It is kept if it is at most a sixteenth of the device's, as it is
for models up to some billions of parameters; a larger one spends so much time on a batch that capturing anew is cheap.
"""

import sys
import weakref
from collections.abc import Callable, Collection, Hashable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.batching import SPARE
from shiftgym.models.generation.buffers import Buffers, FixedCache, bucket_rows
from shiftgym.models.generation.captured import Cuda, Graphs, Step
from shiftgym.models.generation.rows import Rows
from shiftgym.models.lora import lora_layers

KEPT = 1 / 16
"""Share of a device's memory that is kept between batches."""


def _nobody() -> None:
    return None


class Workspace:
    """Stores, rows and captured steps of one model. One cache at a time has the stores; another one that wants them
    moves it out, so conversations may be gone on with in any order."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.buffers = device, Buffers()
        self._holder: Callable[[], FixedCache | None] = _nobody
        self._weights: Hashable = None
        self.release()

    @property
    def bytes(self) -> int:
        """Memory that is held, but for the tables of the rows."""
        return self.buffers.bytes + (self._graphs.device.bytes if self._graphs is not None else 0)

    @property
    def captures(self) -> int:
        """How many steps were captured since memory last moved."""
        return self._graphs.device.captures if self._graphs is not None else 0

    def release(self) -> None:
        """Free everything. A cache that has the stores moves out."""
        if (holder := self._holder()) is not None:
            holder.leave()
        self._holder = _nobody
        self.buffers.clear()
        self._rows = Rows.empty(0, 0, self.device)
        self._stops: dict[tuple[int, ...], Tensor] = {}
        self._graphs: Graphs | None = None
        self._moves = 0

    def cache(self, layers: int) -> FixedCache:
        """A new cache; when its last user is gone, memory is freed that is too much to be kept."""
        cache = FixedCache(layers, self.buffers)
        weakref.finalize(cache, self._rest).atexit = False
        return cache

    def begin(self, cache: FixedCache, model: PreTrainedModel, slots: list[int], length: int) -> Rows:
        """Give the stores to these rows of a cache, in this order; rows for their answers of at most `length` tokens,
        and padding."""
        weights = _weights(model)
        if weights != self._weights:
            self.release()
            self._weights = weights
        if (holder := self._holder()) not in (None, cache):
            holder.leave()
        self._holder = weakref.ref(cache)
        rows, (most, longest) = bucket_rows(len(slots)), self._rows.tokens.shape
        if rows > most or length > longest:
            self._rows = Rows.empty(max(rows, most), max(length, longest), self.device)
            self._graphs = None
        cache.select(slots)
        return self._rows.front(rows)

    def stops(self, tokens: Collection[int]) -> Tensor:
        """(S,) int64, these tokens; the same tensor each time."""
        key = tuple(sorted(tokens))
        if key not in self._stops:
            self._stops[key] = torch.tensor(key, device=self.device)
        return self._stops[key]

    def replay(self, key: Hashable, step: Step, times: int) -> None:
        """Run a step so many times, captured; see `Graphs.run`."""
        if self._graphs is None or self._moves != self.buffers.moves:
            self._graphs, self._moves = Graphs(Cuda(self.device)), self.buffers.moves
        self._graphs.run(key, step, times)

    def _rest(self) -> None:
        """A cache is gone."""
        if self._holder() is None and self.bytes > KEPT * _memory(self.device):
            self.release()


_workspaces: weakref.WeakKeyDictionary[PreTrainedModel, Workspace] = weakref.WeakKeyDictionary()


def workspace(model: PreTrainedModel) -> Workspace:
    """The workspace of a model, which lives as long as it does."""
    if model not in _workspaces or _workspaces[model].device != model.device:
        _workspaces[model] = Workspace(model.device)
    return _workspaces[model]


def release_all() -> None:
    """Free what is kept for all models."""
    for each in _workspaces.values():
        each.release()


SPARE.append(release_all)


def _memory(device: torch.device) -> int:
    """Bytes of a device's memory; without limit where it is not CUDA."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else sys.maxsize


def _weights(model: PreTrainedModel) -> Hashable:
    """What a captured step takes from the model: where its weights lie, and which adapters are on."""
    places = [each.data_ptr() for each in (*model.parameters(), *model.buffers())]
    layers = lora_layers(model).values()
    adapters = [(each.disable_adapters, each.merged, *each.active_adapters) for each in layers]
    return tuple(places), tuple(adapters)
