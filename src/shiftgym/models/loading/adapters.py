"""Adapters of peft, such as LoRA: their base is found, and they are merged into it, which leaves a plain model, or put
beside it, so that training can go on with them."""

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from shiftgym.errors import ConfigError
from shiftgym.models import lora
from shiftgym.models.loading.faults import broken, explained, listed
from shiftgym.models.loading.shipped import WEIGHTS, shipped
from shiftgym.models.loading.source import Source, find_source
from shiftgym.models.lora import CONFIG


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter and the model that it was trained on."""

    source: Source
    base: Source


def read_adapter(source: Source, *, weights: bool = True) -> Adapter | None:
    """The adapter in these files; None if they are those of a model.

    Args:
        weights: whether the weights of a base on the hub are fetched too.

    Raises:
        ConfigError: the base is not to be found, peft is not installed, or it is an adapter that cannot be merged.
    """
    with explained(source, f"{CONFIG} cannot be read: "):
        path = source.find(CONFIG)
        if path is None:
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
    if importlib.util.find_spec("peft") is None:
        raise broken(source, "it is an adapter, for which peft is needed: pip install 'shiftgym[peft]'")
    _check_mergeable(source, values)
    return Adapter(source, _base(source, values, weights))


def _check_mergeable(source: Source, values: Any) -> None:
    """ConfigError unless peft can merge an adapter of this kind."""
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    kind = values.get("peft_type") if isinstance(values, dict) else None
    known = {of.value: tuner for of, tuner in PEFT_TYPE_TO_TUNER_MAPPING.items()}
    if kind is None:
        raise broken(source, f"{CONFIG} has no peft_type; give an adapter written by peft")
    if kind not in known or not hasattr(known[kind], "merge_and_unload"):
        cause = (
            f"its adapter is of the kind {kind}, which cannot be merged into a model; give a LoRA adapter, or serve "
        )
        raise broken(source, f"{cause}it and give the URL")


def _base(source: Source, values: dict[str, Any], weights: bool) -> Source:
    """Where the model is that the adapter was trained on."""
    name = values.get("base_model_name_or_path")
    way_out = f"write its directory or hub id into base_model_name_or_path of its {CONFIG}"
    if not name:
        raise broken(source, f"the adapter does not say which model it belongs to; {way_out}")
    if Path(name).parts[-2:-1] == WEIGHTS.parts[-1:] and Path(name).name in shipped():
        # A shipped backbone is named by its path, which peft finds too. It may lie elsewhere on this machine.
        name = Path(name).name
    try:
        base = find_source(name, source.folder, values.get("revision"), weights=weights)
    except ConfigError as error:
        raise broken(source, f"it is an adapter, and its base is missing: {error}; {way_out}") from None
    if base.folder.resolve() == source.folder.resolve():
        raise broken(source, f"the adapter names itself as the model it belongs to; {way_out}")
    return base


@contextmanager
def of_adapter(adapter: Adapter) -> Iterator[None]:
    """Within: an error over the base says whose base it is."""
    try:
        yield
    except ConfigError as error:
        where = f"base_model_name_or_path of {CONFIG} says where it is"
        raise ConfigError(f"{error} (it is the base of the adapter {adapter.source.name!r}; {where})") from None


def merge(adapter: Adapter, base: PreTrainedModel) -> PreTrainedModel:
    """The base with the adapter merged into its weights, in place.

    Raises:
        ConfigError: the adapter's files are not whole, or it does not fit the base.
    """
    from peft import PeftConfig, get_peft_model
    from peft.utils import load_peft_weights

    source = adapter.source
    with explained(source, f"its adapter of {adapter.base.name!r}: "):
        weights = load_peft_weights(str(source.folder), device="cpu")
        _make_room(base, weights)
        tuned = get_peft_model(base, PeftConfig.from_pretrained(str(source.folder)))
        missing = tuned.load_adapter(str(source.folder), "default", torch_device="cpu").missing_keys
        if missing:
            cause = f"{len(missing)} of its adapter's weights are missing ({listed(missing)})"
            raise broken(source, f"{cause}; copy or download it again")
        merged: PreTrainedModel = tuned.merge_and_unload()
    # A plain model, of which all can be trained. What is trained has the adapter as its base, not what that belongs to.
    merged.requires_grad_(True)
    merged.name_or_path, merged.config._commit_hash = source.path, source.revision
    return merged


def attach(adapter: Adapter, base: PreTrainedModel) -> PreTrainedModel:
    """The base with the adapter beside its weights, in place.

    Raises:
        ConfigError: the adapter's files are not whole, it does not fit the base, or it is no plain LoRA adapter.
    """
    source = adapter.source
    of = adapter.base
    with explained(source, f"its adapter of {of.name!r}: "):
        lora.attach(base, source.folder, of.hub_id or str(Path(of.path).resolve()), of.revision)
    return base


def _make_room(base: PreTrainedModel, weights: dict[str, torch.Tensor]) -> None:
    """Give the base as many embeddings as the adapter was trained with, and embeddings of its own to its head if the
    adapter changes one of the two: a shared table would change both.

    Args:
        weights: of the adapter, by name; (rows, width) for a whole table of embeddings.
    """
    embeddings, head = _embeddings(base)
    names = {name.split(".")[-1] for name, module in base.named_modules() if module in (embeddings, head)}
    touched = {name: weight for name, weight in weights.items() if names & set(name.split("."))}
    tables = [len(weight) for name, weight in touched.items() if name.endswith(".weight") and "lora_" not in name]
    if tables and max(tables) != len(embeddings.weight):
        base.resize_token_embeddings(max(tables), mean_resizing=False)
        embeddings, head = _embeddings(base)
    # Single trained tokens are the exception: peft keeps them shared.
    if any("trainable_tokens" not in name for name in touched) and head.weight is embeddings.weight:
        head.weight = torch.nn.Parameter(head.weight.detach().clone())
        base.config.tie_word_embeddings = base.config.get_text_config().tie_word_embeddings = False


def _embeddings(model: PreTrainedModel) -> tuple[Any, Any]:
    """The modules of the input and the output embeddings."""
    return model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[no-untyped-call]
