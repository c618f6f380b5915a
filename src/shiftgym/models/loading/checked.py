"""What is checked of a model when it is loaded. A model that fails would answer from random numbers, or not at all."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from shiftgym.errors import ConfigError
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.loading.faults import NO_TOKENIZER, OWN_CODE, broken, explained, listed
from shiftgym.models.loading.source import Source


def read_config(source: Source) -> dict[str, Any] | None:
    """The content of config.json; None if there is none.

    Raises:
        ConfigError: it is not what transformers writes.
    """
    path = source.find("config.json")
    if path is None:
        return None
    with explained(source, "config.json is no JSON: "):
        values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise broken(source, "config.json holds no object; give a model written by save_pretrained")
    return values


def check_config(source: Source, values: Mapping[str, Any] | None) -> None:
    """ConfigError unless config.json describes a model that transformers has a class for."""
    if values is None:
        raise _no_config(source)
    kind = values.get("model_type")
    if kind not in CONFIG_MAPPING:
        if "auto_map" in values:
            cause = OWN_CODE
        elif kind is None:
            cause = "config.json has no model_type; give a model written by save_pretrained"
        else:
            cause = f"transformers {transformers.__version__} does not know the model_type {kind!r} of config.json; "
            cause += "install a version that does"
        raise broken(source, cause)
    kernel = values.get("attn_implementation") or values.get("_attn_implementation")
    if isinstance(kernel, str) and "/" in kernel:
        cause = f"config.json asks for the attention kernel {kernel!r} of the hub, whose code is never run here; take "
        raise broken(source, f"{cause}attn_implementation out of it")
    for name in ("dtype", "torch_dtype"):
        given = values.get(name)
        if isinstance(given, str) and given != "auto" and not hasattr(torch, given.removeprefix("torch.")):
            raise broken(source, f"config.json has {name} {given!r}, which torch does not know; write float32 there")


def check_architecture(source: Source, config: PreTrainedConfig) -> None:
    """ConfigError unless a model of this configuration continues a text from left to right."""
    kind = config.model_type
    encoder = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and getattr(config, "is_decoder", None) is False
    what = "an encoder-decoder" if config.is_encoder_decoder else "an encoder" if encoder else None
    known = {**MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, **MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES}
    if what is None and kind not in known:
        what = "no language model"
    if what is not None:
        raise broken(source, f"{kind} is {what}; give a causal language model, or an image-text model made of one")


def check_weights(source: Source, model: PreTrainedModel, info: Mapping[str, Iterable[Any]]) -> None:
    """ConfigError if weights were missing or had another shape, so that the model has random numbers in their place.

    Buffers are no fault: they are computed. Nor are tied weights, which transformers does not count as missing, nor
    weights of which the model has no use.
    """
    shapes = sorted(info["mismatched_keys"])
    if shapes:
        name, there, here = shapes[0]
        cause = f"{name} has the shape {list(there)}, and config.json asks for {list(here)}{_more(shapes)}; "
        raise broken(source, f"{cause}copy weights and config.json from the same model")
    learned = {name for name, _ in model.named_parameters()}
    missing = sorted(learned & set(info["missing_keys"]))
    if missing:
        cause = (
            f"{len(missing)} of its {len(learned)} weights are missing from its files ({listed(missing)}); give all "
        )
        raise broken(source, f"{cause}weights of a {type(model).__name__}{_saved_as(model)}")


def check_tokens(source: Source, model: PreTrainedModel, chat_format: ChatFormat) -> None:
    """ConfigError if a conversation can hold tokens without an embedding.

    Special tokens count only if the chat template writes them, since no text of a task contains them: the tokenizer of
    a text model may know the image token of its sister. More embeddings than tokens are normal.
    """
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    tokenizer = chat_format.tokenizer
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    written = {*chat_format.prompt([user(".")]), *chat_format.reply([user(".")])}
    beyond = sorted(
        (number, token)
        for token, number in tokenizer.get_vocab().items()
        if number >= rows and (number not in special or number in written)
    )
    if beyond:
        number, token = beyond[0]
        cause = (
            f"token {number} ({token!r}) of its tokenizer{_more(beyond)} is beyond the {rows} embeddings of the model; "
        )
        cause += "give the tokenizer that it was trained with, or call "
        raise broken(source, f"{cause}resize_token_embeddings({beyond[-1][0] + 1}) and train it")


def check_tokenizer(source: Source, tokenizer: PreTrainedTokenizerBase) -> None:
    """ConfigError if the tokenizer is empty, as some classes are where there are no tokenizer files."""
    if len(tokenizer.get_vocab()) <= len(tokenizer.added_tokens_decoder):
        raise broken(source, NO_TOKENIZER)


def _saved_as(model: PreTrainedModel) -> str:
    """What the weights belong to instead, if config.json says so."""
    names = getattr(model.config, "architectures", None) or [type(model).__name__]
    return "" if type(model).__name__ in names else f", not of a {', '.join(names)}"


def _no_config(source: Source) -> ConfigError:
    """The error of a source without config.json, by what else is there."""
    folder = source.folder
    start = f"model directory {source.name!r} has no config.json"
    inner = sorted(path.parent.name for path in folder.glob("*/*config.json"))
    if inner:
        return ConfigError(f"{start}; give one of the models in it: {listed([*dict.fromkeys(inner)])}")
    return ConfigError(f"{start}; give one written by save_pretrained")


def _more(found: list[Any]) -> str:
    return f" (and {len(found) - 1} more)" if found[1:] else ""
