"""Where a model runs and in which form: the device, the number format of its weights, its attention kernel, and what is
kept of a forward pass. Reading this loads no torch."""

import json
import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator

from shiftgym.errors import ConfigError
from shiftgym.gpus import Gpu, visible_gpus
from shiftgym.reading import WrongValue, typed

Dtype = Literal["float32", "bfloat16", "float16"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"]

FLASH = "flash_attention"
"""How the names of kernels begin that compute in 16 bits only, and take no mask."""

SIXTEEN_BITS = "computes in 16 bits only; give dtype bfloat16"
"""What is wrong with such a kernel and weights in float32."""

FLOAT16 = "weights in float16 cannot be trained; give bfloat16 or float32"
"""What is wrong with a training of weights in float16: AdamW divides by the root of a mean square, which float16 rounds
to zero."""


class Placement(BaseModel):
    """Where a model runs and in which form."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    device: str = "auto"
    """`cpu`, `cuda`, or `cuda:N` for one GPU of several; `auto` is a GPU where one is found, and the CPU elsewhere."""
    dtype: Dtype = "float32"
    """Number format of the weights, of generation, and of training passes that have no `precision` of their own."""
    attention: Attention = "auto"
    """Attention kernel; `auto` is the model's own choice. With `flash_attention_2` and `flash_attention_3`, which need
    a package of their own and 16-bit weights, conversations that begin alike do not share a row in training."""
    gradient_checkpointing: bool = False
    """Whether a training pass keeps only the input of each layer and runs the layer again in the backward pass. This
    saves most of the memory of activations and costs about a quarter of the speed; FLOPs are counted as executed."""

    @field_validator("device")
    @classmethod
    def _named(cls, device: str) -> str:
        return check_device(device)

    @classmethod
    def chosen(cls, **options: str | bool | None) -> Self:
        """What options of the command line ask for; those that are None were not given.

        Raises:
            ConfigError: one has no such value.
        """
        try:
            return typed(cls, {key: value for key, value in options.items() if value is not None})
        except WrongValue as wrong:
            raise ConfigError(f"--{wrong.path.replace('_', '-')}: {wrong.reason}") from None

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of `load_policy`."""
        return self.model_dump(include={"device", "dtype", "attention"})

    @property
    def overrides(self) -> list[str]:
        """What was given, not left at its default, as `key=value` for a study."""
        return [f"{key}={json.dumps(value)}" for key, value in self.model_dump(exclude_unset=True).items()]

    def gpus(self) -> list[Gpu]:
        """The GPUs that may be used; none stands for the CPU. CUDA is not initialised.

        Raises:
            ConfigError: this machine has no such GPU.
        """
        if self.device == "cpu":
            return []
        found = visible_gpus()
        if self.device == "auto":
            return found
        if not found:
            raise ConfigError(
                f"device {self.device!r}: no GPU is found here (`nvidia-smi -L` lists those there are; a torch built "
                "without CUDA sees none, and CUDA_VISIBLE_DEVICES may hide them); give cpu or auto"
            )
        if self.device == "cuda":
            return found
        number = int(self.device.partition(":")[2])
        if number >= len(found):
            known = ", ".join(f"cuda:{index}" for index in range(len(found)))
            raise ConfigError(f"device {self.device!r}: there is no such GPU; known are {known}")
        return [found[number]]


DEFAULT_PLACEMENT = Placement()


def check_device(device: str) -> str:
    """`device`, if it is the name of one; ValueError if not."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError(f"should be auto, cpu, cuda, or cuda:N for GPU N, not {device!r}")
    return device
