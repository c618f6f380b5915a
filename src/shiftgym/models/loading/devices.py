"""The torch device that a name stands for."""

import torch

from shiftgym.errors import ConfigError
from shiftgym.placement import check_device


def torch_device(name: str) -> torch.device:
    """The device called `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        ConfigError: it is no such name, or torch finds no such device here.
    """
    try:
        check_device(name)
    except ValueError as error:
        raise ConfigError(f"device: {error}") from None
    found = torch.cuda.device_count() if name != "cpu" and torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if found else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= found:
        known = ", ".join(["auto", "cpu", *(f"cuda:{index}" for index in range(found))])
        why = "" if torch.version.cuda else " (it was built without CUDA)"
        raise ConfigError(f"device {name!r}: torch {torch.__version__}{why} finds no such GPU; known are {known}")
    return device
