"""The parts of a model that sees, and which of them are trained."""

from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel

from shiftgym.errors import ConfigError

MERGER = "merger"
"""A word in the names of projectors that stand within an encoder, as in Qwen's models. Others stand outside of it."""


def parts_of(model: PreTrainedModel) -> dict[str, str]:
    """For each parameter of the model's trunk, by name, its part: `vision`, `projector` or `decoder`."""
    base = model.base_model
    decoder = _parameters(model.get_decoder())  # type: ignore[no-untyped-call]
    # Where there is no encoder of a kind, the model itself is returned, or None. One for sound is no projector either.
    found = [model.get_encoder(modality=kind) for kind in ("image", "audio")]
    encoder = set().union(*(_parameters(each) for each in found if each not in (None, base, model)))

    def part(name: str, weights: nn.Parameter) -> str:
        if id(weights) in decoder:
            return "decoder"
        return "vision" if id(weights) in encoder and MERGER not in name else "projector"

    return {name: part(name, weights) for name, weights in base.named_parameters()}


def freeze(model: PreTrainedModel, parts: Sequence[str]) -> None:
    """Train everything but the parts named, which may be `vision` and `projector`.

    Raises:
        ConfigError: the model has no such part.
    """
    found = parts_of(model)
    for name, weights in model.base_model.named_parameters():
        # Quantised weights are integers, which have no gradient.
        weights.requires_grad_(found[name] not in parts and weights.is_floating_point())
    if missing := set(parts) - set(found.values()):
        raise ConfigError(f"frozen: this model has no {' and no '.join(sorted(missing))}")


def _parameters(module: nn.Module) -> set[int]:
    return {id(weights) for weights in module.parameters()}
