"""FLOPs of a model's vision encoder, as torch counts them."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel


class EncoderFlops:
    """Counts the FLOPs of one pass over the encoder's inputs, once for inputs of the same shapes.

    Args:
        model: the model, or one that takes as many.
        token: the token of a picture where the model reads pictures by cross-attention, which makes keys and values of
            them too.
    """

    def __init__(self, model: PreTrainedModel, token: int | None) -> None:
        self._model, self._token = model, token
        self._known: dict[object, int] = {}

    def of(self, inputs: dict[str, Tensor], trained: tuple[bool, ...] | None = None) -> int:
        """FLOPs of a pass over these inputs (pictures or patches, ...).

        Args:
            trained: which weights are trained, for a backward pass; None for a forward pass.
        """
        key = (trained, *((name, tuple(value.shape)) for name, value in inputs.items()))
        if key not in self._known:
            self._known[key] = self._count(inputs, backward=trained is not None)
        return self._known[key]

    def _count(self, inputs: dict[str, Tensor], *, backward: bool) -> int:
        """FLOPs over inputs (pictures or patches, ...) of the forward pass, or of the backward pass alone."""
        base: Any = self._model.base_model
        given = {name: value.to(self._model.device) for name, value in inputs.items()}
        learned = [weight for weight in base.parameters() if weight.requires_grad]
        with torch.set_grad_enabled(backward), FlopCounterMode(display=False) as counter:
            if self._token is not None:
                token = torch.tensor([[self._token]], device=self._model.device)
                features = [base(input_ids=token, use_cache=False, **given).last_hidden_state]
            else:
                found = base.get_image_features(**given).pooler_output
                features = [found] if isinstance(found, Tensor) else list(found)
            forward = int(counter.get_total_flops())
            if sums := [each.sum() for each in features if each.requires_grad]:
                torch.autograd.grad(sums, learned, allow_unused=True)
        return int(counter.get_total_flops()) - (forward if backward else 0)
