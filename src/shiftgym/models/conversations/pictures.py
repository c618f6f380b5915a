"""Pictures in the format of one model: the tokens that stand for each, and what the model takes besides tokens.

Image tokens carry the identity of their picture: token -1 - n stands for picture n, so packing, caching and comparing
need no special case. `Packed` puts the model's own placeholder back.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, ProcessorMixin
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

from shiftgym.errors import ConfigError
from shiftgym.messages import Picture
from shiftgym.models.conversations.encoder_flops import EncoderFlops

CACHE_BYTES = 256 * 2**20
"""Size of the encoder inputs that are kept. The least recently used are dropped and drawn again when needed."""

BY_TOKEN = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "cross_attention_mask", "labels"}
"""What processors make of tokens and not of pictures."""


@dataclass(frozen=True, slots=True)
class Known:
    """The data kept for every picture that was shown."""

    before: str
    """Text that the processor writes before it."""
    ids: list[int]
    """The tokens that stand for it, with the special tokens that the processor puts around them."""
    after: str
    """Text that the processor writes behind it."""
    filled: int
    """The number of image tokens among them."""
    rotary: Tensor | None
    """(3, filled) positions of image tokens in time, height and width, relative to the first."""
    flops: int
    """FLOPs of one forward pass of the vision encoder over this picture, with what else is done once a picture."""

    def numbered(self, number: int) -> "Known":
        """The same of a picture with this number."""
        return replace(self, ids=[-1 - number if token < 0 else token for token in self.ids])


class Pictures:
    """The pictures that a model was shown.

    Raises:
        ConfigError: nothing says which token stands for a picture.
    """

    token: int
    """The token of the model that stands for a picture or a part of one."""
    placeholder: str
    """What the chat template writes for a picture."""
    crosses: bool
    """Whether the model reads pictures by layers of cross-attention, so that the rows of a batch must show equally many
    pictures: tokens before the first picture attend to all of the batch's padding."""
    rotary: bool
    """Whether the model wants positions in time, height and width."""

    def __init__(self, processor: ProcessorMixin, model: PreTrainedModel) -> None:
        token, placeholder = getattr(model.config, "image_token_id", None), getattr(processor, "image_token", None)
        if token is None or placeholder is None:
            lacking = "its config.json has no image_token_id" if token is None else "its processor has no image_token"
            raise ConfigError(
                f"{model.config.model_type} models cannot be used: {lacking}, so nothing says which token stands for a "
                "picture; give a model that takes pictures as tokens of a conversation"
            )
        self.token, self.placeholder = token, placeholder
        self.crosses = bool(getattr(model.config.get_text_config(), "cross_attention_layers", None))
        self.rotary = hasattr(model.base_model, "get_rope_index")
        self._takes = set(signature(model.base_model.forward).parameters)
        self._processor, self._model = processor, model
        self._along: dict[str, int] | None = None
        self._type: tuple[str, int] | None = None
        self._numbers: dict[Picture, int] = {}
        self._shown: list[Picture] = []
        self._known: dict[int, Known] = {}
        self._inputs: OrderedDict[int, dict[str, Tensor]] = OrderedDict()
        self._bytes = 0
        self._encoder_flops = EncoderFlops(model, self.token if self.crosses else None)

    def around(self, picture: Picture) -> tuple[str, str]:
        """Text that the model's processor writes before a picture and behind it."""
        known = self._known[self._number(picture)]
        return known.before, known.after

    def tokens(self, picture: Picture) -> list[int]:
        """The tokens that stand for a picture, between the texts around it."""
        return self._known[self._number(picture)].ids

    def inputs(self, numbers: Iterable[int]) -> dict[str, Tensor]:
        """What the model takes besides tokens, for these pictures in the order of their tokens: by name as its
        processor calls it, such as `pixel_values` (pictures or patches, ...)."""
        return self._joined([self._cached(number) for number in numbers])

    def batch(self, rows: Sequence[Sequence[int]], width: int) -> dict[str, Tensor]:
        """What the model takes besides tokens, padding mask and positions for whole rows of tokens.

        By name, as its processor calls it: what `inputs` gives, `token_type_ids` (rows, width) or the like if it takes
        them, and `cross_attention_mask` (rows, width, pictures, tiles) where it has such layers and pictures are shown.

        Args:
            rows: tokens with the identities of pictures. Where `crosses`, all show equally many.
            width: the rows are padded to it on the right. Padding on the left is in the rows.
        """
        found = self._row_by_row([self.order(row) for row in rows])

        def padded(values: Sequence[Tensor]) -> Tensor:
            """(rows, width, ...) of the values (tokens, ...) of each row."""
            whole = values[0].new_zeros(len(rows), width, *values[0].shape[1:])
            for into, value in zip(whole, values, strict=True):
                into[: len(value)] = value
            return whole.to(self._model.device)

        if self._type is not None:
            name, shown = self._type
            found[name] = padded([torch.where(torch.tensor(row) < 0, shown, 1 - shown) for row in rows])
        if self.crosses and found:
            tiles = found["aspect_ratio_mask"].sum(-1).tolist()
            found["cross_attention_mask"] = padded([self._seen(*pair) for pair in zip(rows, tiles, strict=True)])
        return found

    def beside(self, ids: Sequence[int]) -> int:
        """Rows of tokens may be in one batch if this is the same for them."""
        return len(self.order(ids)) if self.crosses else 0

    def flops(self, numbers: Iterable[int]) -> int:
        """FLOPs of one forward pass of the vision encoder over these pictures."""
        return sum(self._known[number].flops for number in numbers)

    def backward_flops(self, numbers: Iterable[int]) -> int:
        """FLOPs of one backward pass through what is trained of the vision encoder, over these pictures."""
        # Keys and values of pictures are made in the decoder.
        of_text = () if self.crosses else self._model.get_decoder().parameters()  # type: ignore[no-untyped-call]
        decoder = {id(weight) for weight in of_text}
        trained = [w.requires_grad for w in self._model.base_model.parameters() if id(w) not in decoder]
        if not any(trained):
            return 0
        if all(trained):
            return 2 * self.flops(numbers)
        return sum(self._encoder_flops.of(self._cached(number), tuple(trained)) for number in numbers)

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

    def tell(self, numbers: Iterable[int]) -> list[tuple[Picture, Known]]:
        """What another process needs to know of these pictures."""
        return [(self._shown[number], self._known[number].numbered(0)) for number in numbers]

    def learn(self, told: Iterable[tuple[Picture, Known]]) -> list[int]:
        """The numbers that pictures have here of which another process has told. They are drawn once they are read."""
        found = []
        for picture, known in told:
            if self._along is None:
                self._number(picture)
            number = self._numbers.setdefault(picture, len(self._shown))
            if number == len(self._shown):
                self._shown.append(picture)
                self._known[number] = known.numbered(number)
            found.append(number)
        return found

    def count_by(self, model: PreTrainedModel) -> None:
        """From here on count FLOPs by another model that takes as many. The model may have moved."""
        self._encoder_flops = EncoderFlops(model, self.token if self.crosses else None)
        self._inputs.clear()
        self._bytes = 0

    def _number(self, picture: Picture) -> int:
        """The number of a picture, which is read if it is new."""
        number = self._numbers.setdefault(picture, len(self._shown))
        if number == len(self._shown):
            self._shown.append(picture)
            self._read(number)
        return number

    def _row_by_row(self, shown: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """What the model takes for the pictures of each row: (pictures or patches, ...), or (rows, pictures, ...)."""
        if self._along is None or not any(self._along.values()):
            return self.inputs(number for row in shown for number in row)
        # Families that list the pictures of a row along the second dimension have one entry a row in the first.
        read = [self.inputs(row) for row in shown]
        largest = max(read, key=len)
        empty = {name: value[:, :0] for name, value in largest.items()}
        return {name: _padded_cat([(each or empty)[name] for each in read], 0) for name in largest}

    def _joined(self, read: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """What was read of several pictures (pictures or patches, ...), one behind the other."""
        if not read:
            return {}
        assert self._along is not None, "a picture was read"
        return {name: _padded_cat([each[name] for each in read], self._along[name]) for name in read[0]}

    def _seen(self, ids: Sequence[int], tiles: Sequence[int]) -> Tensor:
        """(T, pictures, most tiles) int64, which tiles of which pictures a token attends to, as the model's own
        processor has it: those of the picture before it.

        Args:
            tiles: how many each picture has.
        """
        spans = get_cross_attention_token_mask([token if token >= 0 else self.token for token in ids], self.token)
        most = self._model.config.vision_config.max_num_tiles
        return torch.from_numpy(convert_sparse_cross_attention_mask_to_dense([spans], [list(tiles)], most, len(ids))[0])

    def _cached(self, number: int) -> dict[str, Tensor]:
        """The encoder's inputs (pictures or patches, ...) for one picture, read again if they were dropped."""
        if number not in self._inputs:
            self._read(number)
        self._inputs.move_to_end(number)
        return self._inputs[number]

    def _read(self, number: int) -> None:
        """Draw a picture and have the model's processor prepare it."""
        image = self._shown[number].draw()
        prepared = self._prepare([image])
        inputs = self._of_pictures(prepared)
        if self._along is None:
            self._learn(prepared, self._of_pictures(self._prepare([image, image])))
        if number not in self._known:
            before, ids, after = self._cut(prepared["input_ids"][0].tolist())
            filled = ids.count(self.token)
            self._known[number] = Known(
                before,
                [-1 - number if token == self.token else token for token in ids],
                after,
                filled,
                self._offsets(filled, inputs) if self.rotary else None,
                self._encoder_flops.of(inputs),
            )
        self._inputs[number] = inputs
        self._bytes += _size(inputs)
        while self._bytes > CACHE_BYTES and len(self._inputs) > 1:
            self._bytes -= _size(self._inputs.popitem(last=False)[1])

    def _prepare(self, images: list[Any]) -> dict[str, Any]:
        """What the processor makes of a text of nothing but pictures."""
        text = self.placeholder * len(images)
        return dict(self._processor(text=[text], images=images, return_tensors="pt", add_special_tokens=False))

    def _of_pictures(self, prepared: dict[str, Any]) -> dict[str, Tensor]:
        """What the model takes for pictures, (pictures or patches, ...) each, of what the processor prepared."""
        names = (self._takes & prepared.keys()) - BY_TOKEN
        model = self._model
        # Pixels in the model's own number format take half of the memory where that is a short one.
        return {
            name: prepared[name].to(model.device, model.dtype if prepared[name].is_floating_point() else None)
            for name in prepared
            if name in names
        }

    def _learn(self, prepared: dict[str, Any], twice: dict[str, Tensor]) -> None:
        """Find out along which dimension pictures follow one another, and the type of the tokens that stand for one.

        Args:
            prepared: what the processor made of one picture.
            twice: what the model takes for that picture shown twice, (pictures or patches, ...) each.
        """
        self._along = {}
        for name, value in twice.items():
            once = prepared[name].shape
            self._along[name] = next(at for at, size in enumerate(value.shape) if size != once[at])
        for name in ("token_type_ids", "mm_token_type_ids"):
            if name in prepared and name in self._takes:
                self._type = name, int(prepared[name][prepared["input_ids"] == self.token][0])

    def _cut(self, ids: list[int]) -> tuple[str, list[int], str]:
        """The tokens of a picture, and the text before and behind them.

        A processor may also write what begins a conversation, which a chat template writes by itself.
        """
        tokenizer: Any = getattr(self._processor, "tokenizer")  # noqa: B009
        first = ids.index(self.token)
        begin = tokenizer.bos_token_id
        if begin in ids[first:]:
            ids = ids[: ids.index(begin, first)]
        if begin in ids[:first]:
            ids = ids[ids.index(begin) + 1 :]
        special = set(tokenizer.all_special_ids) | {self.token}
        special |= {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        kept = [at for at, token in enumerate(ids) if token in special]
        start, end = kept[0], kept[-1] + 1
        return tokenizer.decode(ids[:start]), ids[start:end], tokenizer.decode(ids[end:])

    def _offsets(self, filled: int, inputs: dict[str, Tensor]) -> Tensor:
        """(3, filled) positions by the model's own rule, from the encoder's inputs (pictures or patches, ...)."""
        ids = torch.full((1, filled), self.token)
        base: Any = self._model.base_model
        # Positions of a whole row are put together on the CPU, wherever the model is.
        positions, _ = base.get_rope_index(
            ids, mm_token_type_ids=torch.ones_like(ids), image_grid_thw=inputs["image_grid_thw"].cpu()
        )
        offsets: Tensor = positions[:, 0]
        return offsets


def _padded_cat(values: Sequence[Tensor], along: int) -> Tensor:
    """The values (pictures or patches, ...) one behind the other along a dimension, padded with zeros to the largest in
    every other."""
    sizes = [max(value.shape[at] for value in values) for at in range(values[0].ndim)]
    filled = []
    for value in values:
        shape = [value.shape[at] if at == along else size for at, size in enumerate(sizes)]
        if list(value.shape) != shape:
            whole = value.new_zeros(shape)
            whole[tuple(slice(size) for size in value.shape)] = value
            value = whole
        filled.append(value)
    return torch.cat(filled, along)


def _size(inputs: dict[str, Tensor]) -> int:
    """Bytes of the inputs (pictures or patches, ...)."""
    return sum(value.nbytes for value in inputs.values())
