"""Models in GGUF files, the quantised weights of llama.cpp. They are read into a plain model with float weights."""

import importlib.util
import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from shiftgym.models.loading.checked import check_weights, read_config
from shiftgym.models.loading.faults import broken, explained, quiet
from shiftgym.models.loading.source import Source

PACKAGES = ("gguf", "accelerate")
"""What transformers needs to read a GGUF file."""

TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
"""Files of a tokenizer; where one of them lies beside a GGUF file, the tokenizer is not read from that file."""


def read_gguf(path: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model in a GGUF file, as one that was never quantised, and its tokenizer with its chat template.

    A config.json written by save_pretrained, tokenizer files and generation_config.json that lie beside the file count
    more than what the file says.

    Args:
        dtype: format of the weights. They are read in the precision that the file has kept.

    Raises:
        ConfigError: a package is missing, or the file is not whole or holds no model that transformers reads.
    """
    source = Source(str(path), path.parent, gguf=path)
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise broken(source, f"GGUF files are read by {' and '.join(PACKAGES)}: pip install {' '.join(missing)}")
    # transformers shows a bar of its own, whatever it is told.
    with quiet(), redirect_stderr(io.StringIO()), explained(source, "its GGUF file cannot be read: "):
        config = _config(source, path)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.folder,
            config=config,
            gguf_file=path.name,
            **_dequantised(),
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **source.options,
        )
        model, info = loaded
        if source.find("generation_config.json"):
            model.generation_config = GenerationConfig.from_pretrained(source.folder, **source.options)
        beside = any(source.find(name) for name in TOKENIZER)
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            source.folder, config=config, **({} if beside else {"gguf_file": path.name}), **source.options
        )
    check_weights(source, model, info)
    model.name_or_path = source.path
    return model, tokenizer


def _config(source: Source, path: Path) -> PreTrainedConfig:
    """The configuration beside the file, or the one in it. Some repositories have a config.json that only names the
    family, which does not count."""
    values = read_config(source)
    whole = values is not None and "architectures" in values
    within = {} if whole else {"gguf_file": path.name}
    config: PreTrainedConfig = AutoConfig.from_pretrained(source.folder, **within, **source.options)
    return config


def _dequantised() -> dict[str, Any]:
    """The arguments by which all weights are read as floats. transformers before 5.17 knows no other way."""
    choice = getattr(transformers, "GgufConfig", None)
    return {} if choice is None else {"quantization_config": choice(dequantize=True)}
