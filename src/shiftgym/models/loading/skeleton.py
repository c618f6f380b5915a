"""A model without its weights, on torch's device `meta`, from its configuration alone."""

from typing import NamedTuple

import torch
from transformers import AutoConfig, PreTrainedModel

from shiftgym.models.loading.adapters import read_adapter
from shiftgym.models.loading.attention import attend_by
from shiftgym.models.loading.checked import check_architecture, check_config, read_config
from shiftgym.models.loading.faults import explained, quiet
from shiftgym.models.loading.load import DTYPES, auto_class
from shiftgym.models.loading.source import Source, find_source

WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "*.gguf")
"""Files of weights that transformers reads."""


class Skeleton(NamedTuple):
    """A model without weights."""

    model: PreTrainedModel
    """On the device `meta`: its parameters have shapes and formats, and no values."""
    weights: bool
    """Whether its weights are on this machine, or on the hub for all that is known."""


def skeleton(name_or_path: str, *, dtype: str, attention: str = "auto") -> Skeleton:
    """The model that `load_policy` would load, without its weights. A directory with config.json alone will do. An
    adapter counts as merged.

    Raises:
        ConfigError: there is no such model, or its configuration is not one of a supported model.
    """
    return _skeleton(find_source(name_or_path, weights=False), DTYPES[dtype], attention)


def _skeleton(source: Source, dtype: torch.dtype, attention: str) -> Skeleton:
    adapter = None if source.gguf is not None else read_adapter(source, weights=False)
    if adapter is not None:
        return _skeleton(adapter.base, dtype, attention)
    options = source.options
    if source.gguf is not None:
        options["gguf_file"] = source.gguf.name
    else:
        check_config(source, read_config(source))
    with quiet(), explained(source):
        config = AutoConfig.from_pretrained(source.folder, **options)
        check_architecture(source, config)
        with torch.device("meta"):
            model: PreTrainedModel = auto_class(config).from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    attend_by(model, attention)
    here = any(any(source.folder.glob(files)) for files in WEIGHTS)
    return Skeleton(model, here or source.hub_id is not None)
