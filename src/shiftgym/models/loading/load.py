"""Loading a policy: a transformers model with its chat format, from a shipped backbone, a directory, an adapter, a GGUF
file or the hub."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)
from transformers.utils.logging import disable_progress_bar

from shiftgym.batching import needing_memory
from shiftgym.errors import ConfigError
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.loading.adapters import Adapter, attach, merge, of_adapter, read_adapter
from shiftgym.models.loading.attention import attend_by
from shiftgym.models.loading.checked import (
    check_architecture,
    check_config,
    check_tokenizer,
    check_tokens,
    check_weights,
    read_config,
)
from shiftgym.models.loading.devices import torch_device
from shiftgym.models.loading.faults import broken, explained, quiet
from shiftgym.models.loading.gguf import read_gguf
from shiftgym.models.loading.processor import load_processor
from shiftgym.models.loading.source import Source, find_source
from shiftgym.models.loading.template_file import template_text
from shiftgym.models.loading.weight_files import weights_fault

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Reader = PreTrainedTokenizerBase | ProcessorMixin
"""What writes a model's conversations: its tokenizer, or the processor of a vision-language model."""


def load_policy(
    name_or_path: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    attention: str = "auto",
    chat_template: str | None = None,
    template_variables: Mapping[str, Any] | None = None,
    merged: bool = True,
) -> tuple[PreTrainedModel, ChatFormat]:
    """The model, in evaluation mode, and how its conversations are written in tokens.

    A model with a vision encoder is loaded with its processor, any other as a causal language model. Code from a
    checkpoint is never run.

    Args:
        name_or_path: a shipped backbone, a directory of a model or an adapter, a GGUF file or a directory with one, or
            a hub id `owner/name` or `owner/name@revision`, which is fetched if it is not in the cache.
        device: see `Placement`.
        dtype: see `Placement`.
        attention: see `Placement`.
        chat_template: the text of a Jinja template that takes the place of the model's own, or the path of its file.
        template_variables: see `ChatFormat`.
        merged: whether a LoRA adapter is merged into its base, so that the model is a plain one. If not, the model
            has it beside its weights, and training with LoRA goes on with it.

    Raises:
        ConfigError: there is no such model, its files are not whole or not those of a supported model, its tokenizer
            has tokens that it has no embedding for, or its chat template is missing or cannot be used. Or this
            machine has no such device, or no such attention kernel for this model.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown; choose one of {', '.join(DTYPES)}")
    place = torch_device(device)
    template = None if chat_template is None else template_text(chat_template)
    source = find_source(name_or_path)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    with quiet():
        model, reader = _load(source, DTYPES[dtype], merged)
        # What is said about them says which model it is about.
        (reader.tokenizer if isinstance(reader, ProcessorMixin) else reader).name_or_path = source.name
        attend_by(model, attention)
        with needing_memory(
            f"the weights of {name_or_path} do not fit on {place}; choose dtype bfloat16 or another device"
        ):
            model.to(place)  # type: ignore[arg-type]
        model.eval()  # type: ignore[no-untyped-call]
        chat_format = ChatFormat.of(model, reader, chat_template=template, template_variables=template_variables)
        check_tokens(source, model, chat_format)
    return model, chat_format


def _load(source: Source, dtype: torch.dtype, merged: bool = True) -> tuple[PreTrainedModel, Reader]:
    if source.gguf is not None:
        return read_gguf(source.gguf, dtype)
    values = read_config(source)
    adapter = read_adapter(source)
    if adapter is not None:
        with of_adapter(adapter):
            base, reader = _load(adapter.base, dtype)
        model = (merge if merged else attach)(adapter, base)
        return model, _reader_of(adapter, base.config, reader)
    check_config(source, values)
    with explained(source):
        config = AutoConfig.from_pretrained(source.folder, **source.options)
    check_architecture(source, config)
    return _model(source, config, dtype), _reader(source, config)


def _sees(config: PreTrainedConfig) -> bool:
    """Whether a model of this configuration has a vision encoder."""
    return hasattr(config, "vision_config")


def auto_class(config: PreTrainedConfig) -> type[AutoModelForImageTextToText] | type[AutoModelForCausalLM]:
    """What makes the model of a configuration: with its vision encoder if it has one, else a causal language model."""
    return AutoModelForImageTextToText if _sees(config) else AutoModelForCausalLM


def _model(source: Source, config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    try:
        loaded: Any = auto_class(config).from_pretrained(
            source.folder, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **source.options
        )
    except Exception as error:
        with explained(source):
            raise broken(source, weights_fault(source, config, error)) from error
    model: PreTrainedModel
    model, info = loaded
    check_weights(source, model, info)
    if getattr(model, "is_quantized", False):
        # It says in every pass of every layer how it rounds.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if hasattr(model.config, "rescale_every"):
        # RWKV would divide weights in place at its first pass, against overflow in float16, and save them divided.
        model.config.rescale_every = 0
    # By this an adapter names its base.
    model.name_or_path, model.config._commit_hash = source.path, source.revision
    return model


def _reader(source: Source, config: PreTrainedConfig) -> Reader:
    if _sees(config):
        with explained(source, "its processor cannot be read: "):
            return load_processor(source)
    with explained(source, "its tokenizer cannot be read: "):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            source.folder, config=config, **source.options
        )
    check_tokenizer(source, tokenizer)
    return tokenizer


def _reader_of(adapter: Adapter, config: PreTrainedConfig, of_base: Reader) -> Reader:
    """What was saved with the adapter; where nothing was, that of its base. So too the chat template."""
    files = ("processor_config.json", "preprocessor_config.json") if _sees(config) else ("tokenizer_config.json",)
    if not any(adapter.source.find(file) for file in files):
        return of_base
    own = _reader(adapter.source, config)
    if own.chat_template is None:
        own.chat_template = of_base.chat_template
    return own
