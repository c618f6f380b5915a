"""How a model's conversations are read: on the fast path or on the plain one, decided from the model itself.

The structure decides first: some kinds of attention cannot be read from trees or from a cache that several attempts
share. What remains is tried once for each model (`path_trial.py`), and a model whose log-probabilities are not
those of whole rows takes the plain path.
"""

import inspect
import sys
from dataclasses import dataclass, replace
from functools import cache
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from shiftgym.errors import TrainingStopped
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.path_trial import PathTrial, prompts_for
from shiftgym.models.prefixes import decoder_config, layer_kinds, sliding_window

FAST_LAYERS = {"full_attention", "sliding_attention", "global"}
"""Kinds of layers whose attention is all in the mask that is given to them."""


@dataclass(frozen=True, slots=True)
class ReadingPath:
    """How a model's conversations are read in generation and in training."""

    fast: bool
    """One cache over all attempts; on the plain path every conversation is read whole by the model's own `generate`."""
    why: str = ""
    """The reason for the plain path, as the end of a sentence; empty on the fast path."""
    trees: bool = False
    """In training, conversations that begin alike share a row."""
    padded: bool = True
    """On the plain path: conversations of different lengths are answered together."""
    cached: bool = True
    """On the plain path: the model keeps a cache within one answer."""
    trunk: bool = True
    """The output embeddings make the model's logits of the trunk's states; if not, the model is run whole."""


_PATHS: "WeakKeyDictionary[PreTrainedModel, ReadingPath]" = WeakKeyDictionary()


def reading_path(model: PreTrainedModel, chat_format: ChatFormat) -> ReadingPath:
    """The path of a model, found out at the first call and told on stderr if it is the plain one.

    It draws no random numbers, and its passes are charged to no ledger. A model without weights (on the device `meta`)
    is judged by its structure alone.
    """
    if model not in _PATHS:
        _PATHS[model] = _choose(model, chat_format)
        if not _PATHS[model].fast:
            tell(model.config.model_type, _PATHS[model].why)
    path = _PATHS[model]
    # Which kernel computes attention may be changed at any time.
    return replace(path, trees=path.trees and _may_branch(model))


def share_path(copied: PreTrainedModel, model: PreTrainedModel, chat_format: ChatFormat) -> None:
    """Let a copy of a model take the model's path, so that it is not tried again."""
    reading_path(model, chat_format)
    _PATHS[copied] = _PATHS[model]


@cache
def tell(family: str, why: str) -> None:
    """Say once on stderr that the models of a family take the plain path."""
    print(
        f"{family} takes the plain path, where every attempt reads its whole conversation anew: {why}", file=sys.stderr
    )


def _choose(model: PreTrainedModel, chat_format: ChatFormat) -> ReadingPath:
    why = obstacle(model, chat_format)
    by_structure = ReadingPath(why is None, why or "", trees=why is None and _may_branch(model))
    if model.device.type == "meta" or not (prompts := prompts_for(model, chat_format)):
        return by_structure
    training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            return _tried(PathTrial(model, chat_format, prompts), why, trees=_may_branch(model))
    except TrainingStopped:
        # Its weights are damaged, which is for whoever uses it to say.
        return by_structure
    finally:
        model.train(training)


def _tried(trial: PathTrial, why: str | None, *, trees: bool) -> ReadingPath:
    """The path on which log-probabilities are those of whole rows.

    Args:
        why: what in the structure stands against the fast path.
        trees: whether the structure allows them.
    """
    if why is None:
        try:
            why, trees = trial.fast(trees=trees)
        except (torch.OutOfMemoryError, TrainingStopped):
            raise
        except Exception as error:  # noqa: BLE001  what a model does with a foreign cache or mask cannot be foreseen
            why = f"it cannot be run with a cache and masks of ours ({type(error).__name__})"
        if why is None:
            return ReadingPath(True, trees=trees)
    way = trial.plain()
    unlike = f"; its answers differ from whole rows by {way.gap:.2g} nats all the same" if way.gap else ""
    return ReadingPath(False, why + unlike, padded=way.padded, cached=way.cached, trunk=way.trunk)


def obstacle(model: PreTrainedModel, chat_format: ChatFormat) -> str | None:
    """What in a model's structure the fast path cannot hold, as the end of a sentence; None if there is nothing."""
    config = decoder_config(model)
    takes = inspect.signature(model.forward).parameters
    if others := sorted(set(layer_kinds(model)) - FAST_LAYERS):
        return f"it has {' and '.join(kind.replace('_', ' ') for kind in others)} layers"
    if model._is_stateful:
        return "its layers keep a state, which cannot go back to an earlier token"
    if getattr(config, "cross_attention_layers", None):
        return "it reads pictures by cross-attention"
    if getattr(config, "num_kv_shared_layers", 0):
        return "some of its layers share the keys of others"
    if getattr(config, "alibi", False) or "position_ids" not in takes:
        return "positions cannot be given to it"
    if "past_key_values" not in takes:
        return "it has no cache of keys and values"
    both_ways = "token_type_ids" in takes or getattr(config, "use_bidirectional_attention", None)
    if chat_format.pictures is not None and both_ways:
        return "tokens of a picture see those behind them"
    return None


def _may_branch(model: PreTrainedModel) -> bool:
    """Whether all layers attend to everything before them, so that a tree's mask is the whole mask, by a kernel that
    takes one."""
    return sliding_window(model) is None and decoder_config(model)._attn_implementation in ("eager", "sdpa")
