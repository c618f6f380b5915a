"""Log-probabilities of answer tokens, from which every loss is computed.

The trunk runs over the whole batch, and the output embeddings only where an answer token is predicted: prompts and
feedback need no logits.
"""

from functools import cached_property, partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.models.distributions import Distributions, per_token
from shiftgym.models.ledger import HeadTokens
from shiftgym.models.prefixes import Packed

TokenIndices = tuple[Tensor, Tensor]
"""Row and column of each of some tokens, two int64 tensors of the same length."""


NEVER = -1e9
"""Logit of a token that is never generated; finite, so that it adds 0 to an entropy."""


class Scores:
    """Scores of A answer tokens, each computed when it is read."""

    def __init__(self, hidden: Tensor, targets: Tensor, distributions: Distributions) -> None:
        """
        Args:
            hidden: (B, T, H) last hidden state of the trunk.
            targets: (A,) int64, the answer tokens.
            distributions: those that the answer tokens come from.
        """
        self.hidden = hidden
        """(B, T, H) last hidden state of the trunk."""
        self._targets, self._distributions = targets, distributions

    @cached_property
    def logprobs(self) -> Tensor:
        """(A,) float32, log-probability of each answer token."""
        targets = self._targets
        return per_token(lambda rows, own: own.gather(-1, targets[rows, None]).squeeze(-1), self._distributions)

    @property
    def entropy(self) -> Tensor:
        """(A,) float32, entropy in nats of the distribution that each answer token comes from."""
        return per_token(lambda _, own: -(own.exp() * own).sum(-1), self._distributions)

    def divergence(self, other: "Scores") -> Tensor:
        """(A,) float32, KL(this || other) in nats of the distributions that each answer token comes from."""
        return per_token(
            lambda _, own, others: (own.exp() * (own - others)).sum(-1), self._distributions, other._distributions
        )

    @property
    def head_tokens(self) -> HeadTokens:
        """How many tokens the output embeddings were applied to so far."""
        return self._distributions.head_tokens


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
    hidden = trunk_states(model, packed, precision)
    vocabulary: int = model.get_output_embeddings().weight.shape[0]  # type: ignore[no-untyped-call]
    head = partial(logits, model)
    distributions = Distributions(hidden[predictors], head, vocabulary=vocabulary, temperature=temperature)
    return Scores(hidden, targets, distributions)


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
