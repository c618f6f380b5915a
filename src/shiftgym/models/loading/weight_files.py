"""Weights that cannot be read, or are not there: why, in one line."""

import json
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedConfig

from shiftgym.models.loading.faults import line, listed, unfetched
from shiftgym.models.loading.source import Source


def weights_fault(source: Source, config: PreTrainedConfig, error: Exception) -> str:
    """Why the weights cannot be read."""
    folder = source.folder
    fault = unfetched(folder) or _missing_shards(folder) or _damaged(folder) or _no_weights(folder)
    if fault is not None:
        return fault
    quantised = getattr(config, "quantization_config", None)
    if quantised is not None:
        kind = (
            quantised.get("quant_method") if isinstance(quantised, dict) else getattr(quantised, "quant_method", None)
        )
        way_out = "install what is missing, or give the checkpoint that is not quantised"
        return f"it is quantised (quant_method {kind!r} of config.json): {line(error).rstrip('.')}; {way_out}"
    return line(error)


def _missing_shards(folder: Path) -> str | None:
    """Files that the index of the weights names and that are not there."""
    for index in sorted(folder.glob("*.index.json")):
        try:
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError):
            return f"{index.name} is damaged; copy or download it again"
        if missing := [shard for shard in shards if not (folder / shard).is_file()]:
            return (
                f"{index.name} names {len(shards)} files, of which {len(missing)} are missing ({listed(missing)}); "
                "copy or download the rest"
            )
    return None


def _damaged(folder: Path) -> str | None:
    """The first file of weights that cannot be opened."""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            return f"{path.name} is cut off or damaged ({line(error)}); copy or download it again"
    for path in sorted(folder.glob("pytorch_model*.bin")):
        try:
            torch.load(path, map_location="meta", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
            if "global" in str(error).lower():
                return f"{path.name} is not opened, since it could run code; save the model as safetensors"
            return f"{path.name} is cut off or damaged; copy or download it again"
    return None


def _no_weights(folder: Path) -> str | None:
    """That there are no weights that transformers reads, and what is there instead."""
    if any(folder.glob("model*.safetensors")) or any(folder.glob("pytorch_model*.bin")):
        return None
    kinds = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".npz", ".onnx")
    others = sorted(path.name for path in folder.iterdir() if path.suffix in kinds)
    found = f", only {listed(others)}" if others else ""
    return f"it has no weights (model.safetensors){found}; copy them there, or write them by save_pretrained"
