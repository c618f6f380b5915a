"""The compute ledger: tokens and FLOPs of everything that a branch runs through a model, and the paper's own estimate.

FLOPs are those of the padded shapes that are executed: 2 for each weight of a matrix and token, attention as the full
square, the output embeddings only where they are applied. A backward pass computes the gradient of a layer's input and
that of its weight, each for as much as the forward pass, and neither where nothing is trained that needs it: about 6 N
FLOPs a trained token in all, and 4 N where the weights are frozen beside an adapter (`models/gradients.py`). Those of a
vision encoder are counted by torch (`pictures.py`). Not counted: elementwise work, the value head (under 0.1 %)
and the optimizer.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from transformers import PreTrainedModel

from shiftgym.models.gradients import Gradients
from shiftgym.models.lora import adapter_weights
from shiftgym.models.matrices import attention_width, matrix_weights
from shiftgym.models.prefixes import decoder_config

if TYPE_CHECKING:
    from shiftgym.models.microbatches import Microbatch

PAPER_BUFFER_FACTORS = {"points": 6.0, "navigation": 5.1}
"""Tokens that the paper charges to generation for each token trained by RL (its lambda, C.3), by task."""

OTHER_BUFFER_FACTOR = 6.0
"""The same for a task that is not in the paper."""


COUNTED = ("tokens_trained", "tokens_generated", "tokens_prompt", "forward_flops", "backward_flops")
"""The fields of a ledger that are added up."""


@dataclass(frozen=True, slots=True)
class BackwardShape:
    """The sizes that the FLOPs of a backward pass depend on. Where everything is trained, a weight counts twice: for
    the gradient of the layer's input, and for its own."""

    matrix_weights: int
    """Weights of the linear layers, as often as a gradient is computed with them."""
    attention_width: int
    """Heads times head size, summed over the layers that have gradients."""
    head_weights: int
    """Weights of the output embeddings, as often as a gradient is computed with them."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes that the FLOPs of a decoder depend on."""

    parameters: int
    """The paper's N: all parameters, frozen or not, tied ones counted once, and those of an adapter not at all."""
    matrix_weights: int
    """Weights of the matrices that a token goes through (`models/matrices.py`)."""
    attention_width: int
    """Heads times head size, summed over the layers that attend to all tokens."""
    head_weights: int
    """Weights of the output embeddings."""
    adapter_weights: int
    """Those of `matrix_weights` that belong to an adapter."""
    backward: "BackwardShape"
    """What a backward pass takes."""

    @classmethod
    def of(cls, model: PreTrainedModel) -> "ModelShape":
        trunk, adapter = model.get_decoder(), adapter_weights(model)  # type: ignore[no-untyped-call]
        within = {id(weight) for weight in trunk.parameters()}
        head_weight = model.get_output_embeddings().weight  # type: ignore[no-untyped-call]
        width, matrices, gradients = attention_width(model), matrix_weights(model), Gradients.of(model)
        return cls(
            parameters=model.num_parameters() - sum(weight.numel() for weight in adapter.values()),
            matrix_weights=sum(matrices.values()),
            attention_width=width,
            head_weights=head_weight.numel(),
            adapter_weights=sum(weight.numel() for weight in adapter.values() if id(weight) in within),
            backward=BackwardShape(
                matrix_weights=sum(numel * gradients.of_matrices(module) for module, numel in matrices.items()),
                attention_width=width * gradients.layers // decoder_config(model).num_hidden_layers,
                head_weights=head_weight.numel() * gradients.of_head,
            ),
        )

    def forward_flops(
        self, *, rows: int, new_tokens: int, context: int, head_positions: int, adapted: bool = True
    ) -> int:
        """FLOPs of one forward pass over `rows` x `new_tokens` tokens that attend to `context` positions each.

        Args:
            adapted: whether the model's adapter was there, if it has one.
        """
        weights = self.matrix_weights - (0 if adapted else self.adapter_weights)
        per_token = 2 * weights + 4 * self.attention_width * context
        return rows * new_tokens * per_token + 2 * self.head_weights * head_positions

    def backward_flops(self, *, rows: int, new_tokens: int, context: int, head_positions: int) -> int:
        """FLOPs of the backward pass of the same."""
        per_token = 2 * self.backward.matrix_weights + 8 * self.backward.attention_width * context
        return rows * new_tokens * per_token + 2 * self.backward.head_weights * head_positions


class HeadTokens(NamedTuple):
    """How many tokens the output embeddings were applied to. Where the vocabulary is large, each quantity that is read
    of `Scores` is a pass of its own, and the backward pass repeats it."""

    forward: int
    backward: int

    def read(self, tokens: int) -> "HeadTokens":
        """With a forward pass of so many tokens."""
        return HeadTokens(self.forward + tokens, self.backward)

    def learned(self, tokens: int) -> "HeadTokens":
        """With a backward pass of so many tokens."""
        return HeadTokens(self.forward, self.backward + tokens)


@dataclass(slots=True)
class Ledger:
    """The compute that a branch has spent so far."""

    shape: ModelShape
    buffer_factor: float = 0.0
    """The paper's lambda, tokens charged to generation for each token trained: 0 for SFT, the task's for RL."""
    tokens_trained: int = 0
    """Tokens learned from, without padding. A token shared by several conversations, or of a second epoch, counts
    again."""
    tokens_generated: int = 0
    """Answer tokens sampled."""
    tokens_prompt: int = 0
    """Prompt and feedback tokens of the conversations that were sampled."""
    forward_flops: int = 0
    backward_flops: int = 0

    def scored(
        self,
        batch: "Microbatch",
        encoder_flops: int,
        *,
        head: HeadTokens | None = None,
        backward: bool = False,
        encoder_backward: int = 0,
        recomputed: bool = False,
        adapted: bool = True,
    ) -> None:
        """One pass of a microbatch through a model: forward, and if it is learned from, backward.

        Args:
            encoder_flops: FLOPs of a forward pass that its pictures cost, in the vision encoder and in layers of
                cross-attention.
            head: how often the output embeddings were applied; None: to each answer token once.
            backward: whether gradients were computed.
            encoder_backward: FLOPs of the backward pass of the same.
            recomputed: whether the layers that had gradients ran forward twice (gradient checkpointing).
            adapted: whether the model's adapter was there, if it has one.
        """
        rows, length = batch.packed.ids.shape
        tokens = head or HeadTokens(batch.answer_tokens, batch.answer_tokens)

        def forward(head_tokens: int) -> int:
            return self.shape.forward_flops(
                rows=rows, new_tokens=length, context=length, head_positions=head_tokens, adapted=adapted
            )

        self.forward_flops += forward(tokens.forward)
        if backward:
            self.tokens_trained += batch.tokens
            self.backward_flops += self.shape.backward_flops(
                rows=rows, new_tokens=length, context=length, head_positions=tokens.backward
            )
            self.backward_flops += encoder_backward
            self.forward_flops += recomputed * (forward(0) + encoder_flops * bool(encoder_backward))
        self.encoded(encoder_flops)

    def generated(
        self, *, rows: int, new_tokens: int, context: int, heads: int, sampled: int, adapted: bool = True
    ) -> None:
        """One forward pass of generation; logits of `heads` positions, of which `sampled` became answer tokens.

        Args:
            adapted: whether the model's adapter was there, if it has one.
        """
        self.tokens_generated += sampled
        self.forward_flops += self.shape.forward_flops(
            rows=rows, new_tokens=new_tokens, context=context, head_positions=heads, adapted=adapted
        )

    def encoded(self, flops: int) -> None:
        """What pictures cost in one forward pass."""
        self.forward_flops += flops

    @property
    def flops(self) -> int:
        """FLOPs as executed, which a study's budget counts unless it asks for the paper's formula."""
        return self.forward_flops + self.backward_flops

    @property
    def flops_paper(self) -> float:
        """The paper's formula (C.3): 6 N D for training plus 2 N lambda D for the generation behind it."""
        return (6 + 2 * self.buffer_factor) * self.shape.parameters * self.tokens_trained

    def snapshot(self) -> "Ledger":
        """A copy of it as it stands."""
        return replace(self)

    def restore(self, snapshot: "Ledger") -> None:
        """Forget what was charged since the snapshot."""
        for counted in fields(self):
            setattr(self, counted.name, getattr(snapshot, counted.name))

    def since(self, snapshot: "Ledger") -> list[int]:
        """How much of each kind was charged since the snapshot."""
        return [getattr(self, name) - getattr(snapshot, name) for name in COUNTED]

    def add(self, counted: Sequence[int]) -> None:
        """Charge what another rank was charged with; see `since`."""
        for name, more in zip(COUNTED, counted, strict=True):
            setattr(self, name, getattr(self, name) + more)

    def record(self) -> dict[str, Any]:
        """All fields as plain values."""
        return asdict(self)

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Ledger":
        shape = record["shape"]
        return cls(**{**record, "shape": ModelShape(**{**shape, "backward": BackwardShape(**shape["backward"])})})
