"""How the decode steps of a batch are run.

Growing: the stores grow in small steps, rows that have ended are left out at once, and the device is asked after every
step who still writes. This does the least work, so it is the way of a CPU.

Fixed: the stores stay where they are, rows and columns are rounded up, and the device is asked once in eight steps. On
a GPU such steps are captured and replayed, since there a step of a small batch is launching some seven hundred kernels.
"""

from collections.abc import Callable
from typing import Literal

from transformers import PreTrainedModel

from shiftgym.models.buffers import FixedCache, bucket_rows
from shiftgym.models.cache import RaggedCache
from shiftgym.models.rows import Rows
from shiftgym.models.workspace import Workspace, workspace

StepKind = Literal["auto", "growing", "fixed", "captured"]
"""`auto` is captured on CUDA and growing elsewhere; `fixed` are the steps that would be captured, run one by one."""


class Steps:
    """Growing steps."""

    WAIT = 1
    """Steps between two questions to the device."""

    def cache(self, layers: int) -> RaggedCache:
        return RaggedCache(layers)

    def begin(self, cache: RaggedCache, slots: list[int], columns: int, length: int) -> Rows:
        ...
