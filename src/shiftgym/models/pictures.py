"""Pictures in the format of one model: the tokens that stand for each, and the tensors that its vision encoder takes.

Image tokens carry the identity of their picture: token -1 - n stands for picture n, so packing, caching and comparing
need no special case. `Packed` puts the model's own placeholder back.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel, ProcessorMixin

from shiftgym.errors import ConfigError
from shiftgym.messages import Picture

CACHE_BYTES = 256 * 2**20
"""Size of the encoder inputs that are kept. The least recently used are dropped and drawn again when needed."""


_BOTH_WAYS = "image tokens attend to later image tokens, which packed rows do not allow"
UNSUPPORTED = {
    "mllama": "they read pictures by cross-attention, not as tokens",
    **dict.fromkeys(("gemma3", "gemma4", "paligemma"), _BOTH_WAYS),
}


@dataclass(frozen=True, slots=True)
class _Known:
    """The data kept for every picture that was shown."""

    ids: list[int]
    """The tokens that stand for it, with the tokens that the model puts around them."""
    filled: int
    """The number of image tokens among them, whose embeddings come from the vision encoder."""
    rotary: Tensor | None
    """(3, filled) positions of image tokens in time, height and width, relative to the first."""
    flops: int
    """FLOPs of one forward pass of the vision encoder over this picture."""


class Pictures:
    """The pictures that a model was shown.

    Raises:
        ConfigError: the model reads pictures in a way that is not supported.
    """

    def __init__(self, processor: ProcessorMixin, model: PreTrainedModel) -> None:
        kind = model.config.model_type
        if kind in UNSUPPORTED:
            raise ConfigError(f"{kind} models cannot be used: {UNSUPPORTED[kind]}")
        self.token: int = model.config.image_token_id
        self.placeholder: str = getattr(processor, "image_token")  # noqa: B009  not every processor has one
        self._processor, self._model = processor, model
        self._numbers: dict[Picture, int] = {}
        self._shown: list[Picture] = []
        self._known: dict[int, _Known] = {}
        self._inputs: OrderedDict[int, dict[str, Tensor]] = OrderedDict()
        self._bytes = 0
        self._flops_of: dict[object, int] = {}

    def tokens(self, picture: Picture) -> list[int]:
        """The tokens that stand for a picture."""
        number = self._numbers.setdefault(picture, len(self._shown))
        if number == len(self._shown):
            self._shown.append(picture)
            self._read(number)
        return self._known[number].ids

    def inputs(self, numbers: Iterable[int]) -> dict[str, Tensor]:
        """What the model takes besides tokens, for these pictures in the order of their tokens: by name as its
        processor calls it, such as `pixel_values` (pictures or patches, ...)."""
        read = [self._cached(number) for number in numbers]
        if not read:
            return {}
        # Most families list pictures (or their patches) along the first dimension, Idefics those of one conversation
        # along the second.
        along = 1 if read[0]["pixel_values"].ndim == 5 else 0
        return {name: torch.cat([each[name] for each in read], along) for name in read[0]}

    def flops(self, numbers: Iterable[int]) -> int:
        """FLOPs of one forward pass of the vision encoder over these pictures."""
        return sum(self._known[number].flops for number in numbers)

    def order(self, ids: Sequence[int]) -> list[int]:
        """The pictures in a row of tokens, in order, each as often as it occurs."""
        found: list[int] = []
        left = 0
        for token in ids:
            if token < 0:
                if left == 0:
                    found.append(-1 - token)
                    left = self._known[found[-1]].filled
                left -= 1
        return found

    @property
    def rotary(self) -> bool:
        """Whether the model wants positions in time, height and width."""
        return hasattr(self._model.base_model, "get_rope_index")

    def positions(self, ids: Sequence[int]) -> Tensor:
        """(3, T) positions of a whole conversation in time, height and width."""
        parts: list[Tensor] = []
        here = at = 0
        while at < len(ids):
            if ids[at] >= 0:
                end = next((i for i in range(at, len(ids)) if ids[i] < 0), len(ids))
                parts.append(torch.arange(here, here + end - at).expand(3, -1))
                here, at = here + end - at, end
                continue
            offsets = self._known[-1 - ids[at]].rotary
            assert offsets is not None
            parts.append(offsets + here)
            # What follows a picture continues after its largest position.
            here, at = here + int(offsets.max()) + 1, at + offsets.shape[1]
        return torch.cat(parts, dim=1)

    def _cached(self, number: int) -> dict[str, Tensor]:
        """The encoder's inputs (pictures or patches, ...) for one picture, read again if they were dropped."""
        if number not in self._inputs:
            self._read(number)
        self._inputs.move_to_end(number)
        return self._inputs[number]

    def _read(self, number: int) -> None:
        """Draw a picture and have the model's processor prepare it."""
        image = self._shown[number].draw()
        prepared = self._processor(
            text=[self.placeholder], images=[image], return_tensors="pt", add_special_tokens=False
        )
        ids = prepared["input_ids"][0].tolist()
        text_only = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
        inputs = {
            name: value.to(self._model.device)
            for name, value in prepared.items()
            if name not in text_only and isinstance(value, Tensor)
        }
        if number not in self._known:
            filled = ids.count(self.token)
            self._known[number] = _Known(
                [-1 - number if token == self.token else token for token in ids],
                filled,
                self._offsets(filled, inputs) if self.rotary else None,
                self._encoder_flops(inputs),
            )
        self._inputs[number] = inputs
        self._bytes += _size(inputs)
        while self._bytes > CACHE_BYTES and len(self._inputs) > 1:
            self._bytes -= _size(self._inputs.popitem(last=False)[1])

    def _offsets(self, filled: int, inputs: dict[str, Tensor]) -> Tensor:
        """(3, filled) positions by the model's own rule, from the encoder's inputs (pictures or patches, ...)."""
        ids = torch.full((1, filled), self.token)
        base: Any = self._model.base_model
        positions, _ = base.get_rope_index(
            ids, mm_token_type_ids=torch.ones_like(ids), image_grid_thw=inputs["image_grid_thw"]
        )
        offsets: Tensor = positions[:, 0]
        return offsets

    def _encoder_flops(self, inputs: dict[str, Tensor]) -> int:
        """FLOPs of one forward pass over these inputs (pictures or patches, ...), as torch counts them."""
        shapes = tuple((name, tuple(value.shape)) for name, value in inputs.items())
        if shapes not in self._flops_of:
            base: Any = self._model.base_model
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                base.get_image_features(**inputs)
            self._flops_of[shapes] = counter.get_total_flops()
        return self._flops_of[shapes]


def _size(inputs: dict[str, Tensor]) -> int:
    """Bytes of the inputs (pictures or patches, ...)."""
    return sum(value.nbytes for value in inputs.values())


ENCODERS = {"vision_tower", "vision_model", "visual"}
PROJECTORS = {"multi_modal_projector", "connector", "merger"}
"""Names of these parts in the model families."""


def freeze(model: PreTrainedModel, parts: Sequence[str]) -> None:
    """Train everything but the parts named, which may be `vision` and `projector`.

    Raises:
        ConfigError: the model has no such part.
    """
    found = set()
    for name, weights in model.base_model.named_parameters():
        words = set(name.split("."))
        part = "projector" if words & PROJECTORS else "vision" if words & ENCODERS else "decoder"
        weights.requires_grad_(part not in parts)
        found.add(part)
    if missing := set(parts) - found:
        raise ConfigError(f"frozen: this model has no {' and no '.join(sorted(missing))}")
