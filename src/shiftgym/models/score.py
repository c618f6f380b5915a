"""Log-probabilities of answer tokens, from which every loss is computed.

The trunk runs over the whole batch, and the output embeddings only where an answer token is predicted: prompts and
feedback need no logits.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from shiftgym.models.ledger import HeadTokens
from shiftgym.models.prefixes import Packed

TokenIndices = tuple[Tensor, Tensor]
"""Row and column of each of some tokens, two int64 tensors of the same length."""


NEVER = -1e9
"""Logit of a token that is never generated; finite, so that it adds 0 to an entropy."""

MOST_LOGITS = {"cpu": 2**25, "cuda": 2**27}
"""Logits that are held at the same time, by the type of the device: 128 MiB in float32 on a CPU, 512 MiB elsewhere,
where larger products are faster."""


def chunk_tokens(vocabulary: int, device: str) -> int:
    """Answer tokens whose logits are held at the same time on a device of this type."""
    return max(1, MOST_LOGITS.get(device, MOST_LOGITS["cuda"]) // vocabulary)


class Scores:
    """Scores of A answer tokens, each computed when it is read.

    A x V log-probabilities are held only where they are few. Where they are many, whatever is read is computed over
    chunks of tokens. Then the backward pass computes the logits of each chunk once more, so memory does not grow with
    A x V.
    """

    def __init__(
        self, model: PreTrainedModel, hidden: Tensor, predictors: TokenIndices, targets: Tensor, temperature: float
    ) -> None:
        """Scores under the gradient mode of this moment.

        Args:
            hidden: (B, T, H) last hidden state of the trunk.
            predictors: row and column of the token before each target, (A,) each.
            targets: (A,) int64.
        """
        self.hidden = hidden
        """(B, T, H) last hidden state of the trunk."""
        self.head_tokens = HeadTokens(0, 0)
        """How often the output embeddings were applied so far."""
        self._model, self._temperature = model, temperature
        self._states, self._targets = hidden[predictors], targets
        self._gradient = torch.is_grad_enabled()

    @cached_property
    def logprobs(self) -> Tensor:
        """(A,) float32, log-probability of each answer token."""
        return self._each(lambda rows, own: own.gather(-1, self._targets[rows, None]).squeeze(-1))

    @property
    def entropy(self) -> Tensor:
        """(A,) float32, entropy in nats of the distribution that each answer token comes from."""
        return self._each(lambda _, own: -(own.exp() * own).sum(-1))

    def divergence(self, other: "Scores") -> Tensor:
        """(A,) float32, KL(this || other) in nats of the distributions that each answer token comes from."""
        return self._each(lambda _, own, others: (own.exp() * (own - others)).sum(-1), other)

    def _each(self, number: Callable[..., Tensor], *others: "Scores") -> Tensor:
        """(A,) one number an answer token.

        Args:
            number: (C,) of a slice of C tokens and their (C, V) log-probabilities under this model and the others.
        """
        scores, count = (self, *others), len(self._targets)
        size = chunk_tokens(self._vocabulary, self._states.device.type)
        with torch.set_grad_enabled(self._gradient):
            if count <= size:
                return number(slice(None), *[each._whole for each in scores])
            chunks = [slice(start, min(start + size, count)) for start in range(0, count, size)]
            if self._gradient:
                return torch.cat([self._recomputed(number, rows, scores) for rows in chunks])
            return torch.cat([number(rows, *[each._log_softmax(rows) for each in scores]) for rows in chunks])

    def _recomputed(self, number: Callable[..., Tensor], rows: slice, scores: "tuple[Scores, ...]") -> Tensor:
        """(C,) numbers of a chunk, whose logits the backward pass computes again."""
        passes = 0

        def compute() -> Tensor:
            """(C,), called once forward and once more if there is a gradient."""
            nonlocal passes
            passes += 1
            if passes > 1:
                self.head_tokens = self.head_tokens.learned(rows.stop - rows.start)
            return number(rows, *[each._log_softmax(rows) for each in scores])

        found: Tensor = checkpoint(compute, use_reentrant=False, preserve_rng_state=False)
        return found

    @property
    def _vocabulary(self) -> int:
        vocabulary: int = self._model.get_output_embeddings().weight.shape[0]  # type: ignore[no-untyped-call]
        return vocabulary

    @cached_property
    def _whole(self) -> Tensor:
        """(A, V) float32."""
        self.head_tokens = self.head_tokens.learned(len(self._targets))
        return self._log_softmax(slice(None))

    def _log_softmax(self, rows: slice) -> Tensor:
        """(C, V) float32 of a slice of C tokens, at the temperature asked for."""
        states = self._states[rows]
        self.head_tokens = self.head_tokens.read(len(states))
        with torch.set_grad_enabled(self._gradient):
            return torch.log_softmax(logits(self._model, states) / self._temperature, dim=-1)


def score(
    model: PreTrainedModel,
    packed: Packed,
    predictors: TokenIndices,
    targets: Tensor,
    temperature: float = 1.0,
    precision: torch.dtype = torch.float32,
) -> Scores:
    """Score the tokens `targets` (A,), each given all tokens up to its predictor.

    Args:
        predictors: row and column of the token before each target, (A,) each.
        precision: bfloat16 runs the trunk under autocast; logits and softmax are float32 either way.
    """
    return Scores(model, trunk_states(model, packed, precision), predictors, targets, temperature)


def trunk_states(model: PreTrainedModel, packed: Packed, precision: torch.dtype = torch.float32) -> Tensor:
    """(B, T, H) last hidden states, without logits."""
    mixed = precision != torch.float32
    with torch.autocast(packed.ids.device.type, precision, enabled=mixed):
        states: Tensor = model.base_model(
            **packed.inputs,
            attention_mask=packed.attention_mask(precision if mixed else model.dtype),
            use_cache=False,
        ).last_hidden_state
    return states


def logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """(N, V) float32 logits of (N, H) hidden states, with what some model families apply to them: Gemma caps
    them, Granite divides and Cohere multiplies them. A vision-language model never generates its image token, since no
    picture would belong to it."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    values: Tensor = head(hidden.to(head.weight.dtype)).float()
    config = model.config.get_text_config()
    if divisor := getattr(config, "logits_scaling", None):
        values = values / divisor
    if factor := getattr(config, "logit_scale", None):
        values = values * factor
    if cap := getattr(config, "final_logit_softcapping", None):
        values = torch.tanh(values / cap) * cap
    placeholders = [getattr(model.config, name, None) for name in ("image_token_id", "video_token_id")]
    if unwritten := [token for token in placeholders if token is not None]:
        values[:, unwritten] = NEVER
    return values
