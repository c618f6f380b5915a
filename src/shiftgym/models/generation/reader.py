"""A model that reads new tokens of conversations whose earlier tokens are in a cache."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.models.generation.cache import RaggedCache
from shiftgym.models.generation.rows import Rows
from shiftgym.models.prefixes import layer_kinds, sliding_window
from shiftgym.models.score import logits
from shiftgym.models.sharding import trunk


class Reader:
    """Runs a model over new tokens. Nothing here waits for the device.

    Args:
        rotary: whether the model wants positions in time, height and width.
    """

    def __init__(self, model: PreTrainedModel, *, rotary: bool) -> None:
        self.model, self.rotary = model, rotary
        self._layer_types, self._window = set(layer_kinds(model)), sliding_window(model)

    def read(
        self,
        cache: RaggedCache,
        inputs: dict[str, Tensor],
        *,
        columns: Tensor,
        mask: Tensor | dict[str, Tensor],
        at: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Run the model; float32 logits (N, vocabulary) after the tokens that are asked for.

        Args:
            inputs: `input_ids` (rows, new tokens) and what else the model takes.
            columns: (rows, new tokens) of the cache that keys and values are written to.
            mask: as `mask` gives it, (rows, 1, new tokens, width).
            at: rows (N,) and columns (N,) among the new tokens.
        """
        cache.write_to(columns)
        run = trunk(self.model)
        states = run(**inputs, attention_mask=mask, past_key_values=cache, use_cache=True).last_hidden_state
        return logits(self.model, states[at])

    def append(self, cache: RaggedCache, ids: Tensor, positions: Tensor, columns: Tensor, offset: Tensor) -> Tensor:
        """Append tokens to conversations; logits (rows, vocabulary) after the last of them.

        Args:
            ids: (rows, new tokens).
            positions: (rows, new tokens) of these tokens in their conversation.
            columns: (rows, new tokens) of the cache that they are written to.
            offset: (rows,) what is added to token indices to get rotary positions.
        """
        kept = torch.arange(cache.capacity, device=ids.device)
        rows = torch.arange(len(ids), device=ids.device)
        rotary = positions + offset[:, None]
        if self.rotary:
            rotary = rotary.expand(3, -1, -1)
        return self.read(
            cache,
            {"input_ids": ids, "position_ids": rotary},
            columns=columns,
            mask=self.mask(kept > positions[:, :, None], positions, kept),
            at=(rows, rows.new_full(rows.shape, ids.shape[1] - 1)),
        )

    def step(self, cache: RaggedCache, rows: Rows, temperature: float, stops: Tensor) -> None:
        """Read the last token of each row and sample the next one.

        No shape depends on data, and everything that changes from step to step is read and written where it lies, so
        that a device can replay the step.

        Args:
            stops: (S,) int64, tokens that end an answer.
        """
        at = rows.position[:, None]
        scores = self.append(cache, rows.token[:, None], at, at, rows.offset)
        rows.position.add_(rows.alive)
        rows.write(scores, temperature, stops)

    def mask(self, hidden: Tensor, positions: Tensor, kept: Tensor) -> Tensor | dict[str, Tensor]:
        """What is added to attention scores, (rows, 1, new tokens, width), by kind of layer if there are several.

        Args:
            hidden: (rows, new tokens, width), true where nothing may be attended to.
            positions: (rows, new tokens) of the new tokens.
            kept: position of what stands in each column, to be broadcast to the shape of `hidden`.
        """
        dtype, window = self.model.dtype, self._window
        least = torch.finfo(dtype).min
        full = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, least)[:, None]
        if window is None:
            return full
        sliding = full.masked_fill((kept <= positions[:, :, None] - window)[:, None], least)
        if "sliding_attention" in self._layer_types:
            return {"full_attention": full, "sliding_attention": sliding}
        return sliding
