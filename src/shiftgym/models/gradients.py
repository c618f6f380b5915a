"""Which gradients a backward pass computes, where a part of a model is frozen.

A frozen layer passes the gradient on but has none for its weight, and nothing is computed before the first trained
weight. Which layers those are depends on how the model is made, so it is seen in one forward pass over one token.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from shiftgym.models.matrices import matrix_weights
from shiftgym.models.prefixes import decoder_config, decoder_layers


@dataclass(frozen=True, slots=True)
class Gradients:
    """What has a gradient in the text decoder of a model, as it is frozen now."""

    layers: int
    """Decoder layers that the gradient reaches. The first of them counts whole."""
    of_head: int
    """Gradients that are computed with the weight of the output embeddings: of their input, of the weight, or both."""
    unreached: frozenset[nn.Module]
    """Modules with matrices whose input has no gradient."""

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Gradients":
        trunk, count = model.get_decoder(), decoder_config(model).num_hidden_layers  # type: ignore[no-untyped-call]
        trained = {weight.requires_grad for weight in trunk.parameters()}
        head = int(model.get_output_embeddings().weight.requires_grad)  # type: ignore[no-untyped-call]
        matrices = list(matrix_weights(model))
        if trained == {True}:
            return cls(count, 1 + head, frozenset())
        if trained == {False} and not _pictures_are_trained(model):
            return cls(0, head, frozenset(matrices))
        inputs, outputs = _seen(model, matrices, decoder_layers(model))
        # A layer that did not run, as one that needs a picture, counts as reached.
        unreached = frozenset(module for module, reached in inputs.items() if not reached)
        return cls(count - sum(not reached for reached in outputs.values()), 1 + head, unreached)

    def of_matrices(self, module: nn.Module) -> int:
        """Gradients that are computed with the weights of this module: of its input, of the weights, both or
        neither."""
        trained = any(weight.requires_grad for weight in module.parameters(recurse=False) if weight.ndim > 1)
        return int(module not in self.unreached) + int(trained)


def _seen(
    model: PreTrainedModel, matrices: Iterable[nn.Module], blocks: Iterable[nn.Module]
) -> tuple[dict[nn.Module, bool], dict[nn.Module, bool]]:
    """Whether the input of each module with matrices, and the output of each block, has a gradient."""
    inputs: dict[nn.Module, bool] = {}
    outputs: dict[nn.Module, bool] = {}

    def before(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        inputs[module] = arguments[0].requires_grad

    def after(module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> None:
        outputs[module] = (output if isinstance(output, Tensor) else output[0]).requires_grad

    def embedded(_module: nn.Module, _arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        """The embeddings (1, 1, H), with a gradient as embeddings of pictures would have."""
        return output.detach().requires_grad_() if _pictures_are_trained(model) else output

    hooks = [module.register_forward_pre_hook(before) for module in matrices]
    hooks += [module.register_forward_hook(after) for module in blocks]
    hooks.append(model.get_input_embeddings().register_forward_hook(embedded))
    trunk: Any = model.get_decoder()  # type: ignore[no-untyped-call]
    with torch.enable_grad():
        trunk(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=False)
    for hook in hooks:
        hook.remove()
    return inputs, outputs


def _pictures_are_trained(model: PreTrainedModel) -> bool:
    """Whether anything is trained that the embeddings of pictures come from."""
    decoder = {id(weight) for weight in model.get_decoder().parameters()}  # type: ignore[no-untyped-call]
    return any(weight.requires_grad and id(weight) not in decoder for weight in model.base_model.parameters())
