"""The number format of training passes."""

from typing import Literal

import torch

Precision = Literal["float32", "bfloat16", "auto"]


def training_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The format that training passes run in on this device.

    `auto` is bfloat16 where the device computes in it. A CPU without the instructions, and a GPU older than Ampere,
    emulate it, which makes a pass several times slower than in float32.
    """
    if precision == "auto":
        return torch.bfloat16 if _native(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _native(device: torch.device) -> bool:
    """Whether this device computes in bfloat16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch's own matrix library makes the same check.
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
