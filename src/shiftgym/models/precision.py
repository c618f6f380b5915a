"""The number format of training passes."""

from typing import Literal

import torch

Precision = Literal["float32", "bfloat16", "auto"]


def training_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The format that training passes run in on this device.

    `auto` is bfloat16 where the device computes in it. A CPU without the instructions emulates it, which makes a pass
    several times slower than in float32; torch's own matrix library makes the same check.
    """
    if precision == "auto":
        native = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return torch.bfloat16 if native else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
