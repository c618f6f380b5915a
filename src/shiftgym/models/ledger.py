"""The compute ledger: tokens and FLOPs of everything that a branch runs through a model, and the paper's own estimate.

FLOPs are those of the padded shapes that are executed: 2 for each weight of a matrix and token, attention as the full
square, the output embeddings only where they are applied; a backward pass is twice its forward pass. The FLOPs of a
vision encoder are counted by torch (`models/pictures.py`). Not counted: elementwise work, the value head (under
0.1 %) and the optimizer.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

from shiftgym.models.matrices import attention_width, matrix_weights

if TYPE_CHECKING:
    from shiftgym.models.microbatches import Microbatch

PAPER_BUFFER_FACTORS = {"points": 6.0, "navigation": 5.1}
"""Tokens that the paper charges to generation for each token trained by RL (its lambda, C.3), by task."""

OTHER_BUFFER_FACTOR = 6.0
"""The same for a task that is not in the paper."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes that the FLOPs of a decoder depend on."""

    parameters: int
    """The paper's N: all parameters, tied ones counted once."""
    matrix_weights: int
    """Weights of the matrices that a token goes through (`models/matrices.py`)."""
    attention_width: int
    """Heads times head size, summed over the layers that attend to all tokens."""
    head_weights: int
    """Weights of the output embeddings."""

    @classmethod
    def of(cls, model: PreTrainedModel) -> "ModelShape":
        layers, layer_width = attention_width(model)
        return cls(
            parameters=model.num_parameters(),
            matrix_weights=sum(matrix_weights(model).values()),
            attention_width=layers * layer_width,
            head_weights=model.get_output_embeddings().weight.numel(),  # type: ignore[no-untyped-call]
        )

    def forward_flops(self, *, rows: int, new_tokens: int, context: int, head_positions: int) -> int:
        """FLOPs of one forward pass over `rows` x `new_tokens` tokens that attend to `context` positions each."""
        per_token = 2 * self.matrix_weights + 4 * self.attention_width * context
        return rows * new_tokens * per_token + 2 * self.head_weights * head_positions


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
        head: bool = True,
        backward: bool = False,
        encoder_backward: bool = False,
    ) -> None:
        """One pass of a microbatch through a model: forward, and if it is learned from, backward.

        Args:
            encoder_flops: FLOPs of a forward pass of the vision encoder over its pictures.
            head: whether the output embeddings were applied to the answer tokens.
            backward: whether gradients were computed.
            encoder_backward: whether the vision encoder had gradients too.
        """
        rows, length = batch.packed.ids.shape
        flops = self.shape.forward_flops(
            rows=rows, new_tokens=length, context=length, head_positions=batch.answer_tokens * head
        )
        self.forward_flops += flops
        if backward:
            self.tokens_trained += batch.tokens
            self.backward_flops += 2 * flops
        self.encoded(encoder_flops, learned=encoder_backward)

    def generated(self, *, rows: int, new_tokens: int, context: int, heads: int, sampled: int) -> None:
        """One forward pass of generation; logits of `heads` positions, of which `sampled` became answer tokens."""
        self.tokens_generated += sampled
        self.forward_flops += self.shape.forward_flops(
            rows=rows, new_tokens=new_tokens, context=context, head_positions=heads
        )

    def encoded(self, flops: int, *, learned: bool) -> None:
        """One forward pass of the vision encoder over some pictures, and one backward pass if it is trained."""
        self.forward_flops += flops
        self.backward_flops += 2 * flops * learned

    @property
    def flops(self) -> int:
        """FLOPs as executed, which a study's budget counts unless it asks for the paper's formula."""
        return self.forward_flops + self.backward_flops

    @property
    def flops_paper(self) -> float:
        """The paper's formula (C.3): 6 N D for training plus 2 N lambda D for the generation behind it."""
        return (6 + 2 * self.buffer_factor) * self.shape.parameters * self.tokens_trained

    def record(self) -> dict[str, Any]:
        """All fields as plain values."""
        return asdict(self)

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Ledger":
        return cls(**{**record, "shape": ModelShape(**record["shape"])})
