"""Loading a policy: a transformers model with its chat format, from a shipped backbone, a directory or the hub."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from shiftgym.errors import ConfigError
from shiftgym.models.chat import ChatFormat
from shiftgym.models.shipped import WEIGHTS, shipped

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_policy(
    name_or_path: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    chat_template: str | None = None,
    template_variables: Mapping[str, Any] | None = None,
) -> tuple[PreTrainedModel, ChatFormat]:
    """The model, in evaluation mode, and how its conversations are written in tokens.

    A model with a vision encoder is loaded with its processor, any other as a causal language model.

    Args:
        name_or_path: a shipped backbone, a model directory, or a hub id `owner/name`. Only a hub id may download.
        chat_template, template_variables: see `ChatFormat`.

    Raises:
        ConfigError: there is no such model, its files are not those of a supported model, or its chat template is
            missing or cannot be used.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown; choose one of {', '.join(DTYPES)}")
    source, local = _source(name_or_path)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        sees = hasattr(AutoConfig.from_pretrained(source, local_files_only=local), "vision_config")
        # Pixels by Pillow, so that they are the same whether or not torchvision is installed.
        reader = (
            AutoProcessor.from_pretrained(source, local_files_only=local, backend="pil")  # type: ignore[no-untyped-call]
            if sees
            else AutoTokenizer.from_pretrained(source, local_files_only=local)
        )
        family = AutoModelForImageTextToText if sees else AutoModelForCausalLM
        model = family.from_pretrained(source, dtype=DTYPES[dtype], local_files_only=local)
    except (OSError, ValueError, ImportError) as error:
        raise ConfigError(f"model {name_or_path!r} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    model.to(device)  # type: ignore[arg-type]
    model.eval()  # type: ignore[no-untyped-call]
    return model, ChatFormat.of(model, reader, chat_template=chat_template, template_variables=template_variables)


def _source(name: str) -> tuple[str, bool]:
    """Where the files of `name` are, and whether that is on this machine."""
    if name in shipped():
        return str(WEIGHTS / name), True
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ConfigError(f"model directory {name!r} has no config.json; give one written by save_pretrained")
        return name, True
    if re.fullmatch(r"\w[\w.-]*/[\w.-]+", name):
        return name, False
    close = difflib.get_close_matches(name, shipped(), n=1, cutoff=0.0)
    known = ", ".join(shipped()) + (f"; nearest is {close[0]!r}" if close else "")
    raise ConfigError(f"model {name!r} is no shipped backbone ({known or 'none'}), directory or hub id owner/name")
