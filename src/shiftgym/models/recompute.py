"""Gradient checkpointing: a layer keeps its input alone and runs again in the backward pass (Chen et al. 2016, arXiv
1604.06174).

transformers does this only while a model is in training mode, in which dropout would be on too. Here models stay in
evaluation mode, so the forward of each layer is wrapped instead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from shiftgym.errors import ConfigError


def check_recomputable(model: PreTrainedModel) -> None:
    """ConfigError unless the model says which of its layers may run again."""
    if not any(_layers(model)):
        kind = model.config.model_type
        raise ConfigError(f"gradient_checkpointing: {kind} models have no layers that can run again; set it to false")


@contextmanager
def recomputed(model: PreTrainedModel) -> Iterator[None]:
    """Within: forward passes keep only the inputs of layers, and backward passes run the layers again."""
    layers = list(_layers(model))
    before = [vars(layer).get("forward") for layer in layers]
    for layer in layers:
        layer.forward = _again(layer.forward)
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            del layer.forward
            if own is not None:
                layer.forward = own


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost layers that may run again."""
    for child in module.children():
        if isinstance(child, GradientCheckpointingLayer):
            yield child
        else:
            yield from _layers(child)


def _again(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The same forward, run again in the backward pass. No state of a generator is kept: nothing is random in it."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)

    return wrapped
