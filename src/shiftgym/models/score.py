"""Log-probabilities of answer tokens, from which every loss is computed.

The trunk runs over the whole batch, and the output embeddings only where an answer token is predicted: prompts and
feedback need no logits.
"""

import inspect
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from shiftgym.models.distributions import Distributions, per_token
from shiftgym.models.ledger import HeadTokens
from shiftgym.models.prefixes import Packed
from shiftgym.models.products import RoundedProduct, may_round
from shiftgym.models.sharding import trunk

TokenIndices = tuple[Tensor, Tensor]
"""Row and column of each of some tokens, two int64 tensors of the same length."""


NEVER = -1e9
"""Logit of a token that is never generated; finite, so that it adds 0 to an entropy."""


class Scores:
    """Scores of A answer tokens, each computed when it is read."""

    def __init__(
        self, hidden: Tensor, targets: Tensor, distributions: Distributions, head_tokens: HeadTokens | None = None
    ) -> None:
        """
        Args:
            hidden: (B, T, H) last hidden state of the trunk.
            targets: (A,) int64, the answer tokens.
            distributions: those that the answer tokens come from.
            head_tokens: how many tokens the output embeddings were applied to, where `distributions` does not know.
        """
        self.hidden = hidden
        """(B, T, H) last hidden state of the trunk."""
        self._targets, self._distributions, self._head_tokens = targets, distributions, head_tokens

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
        return self._head_tokens or self._distributions.head_tokens


def score(
    model: PreTrainedModel,
    packed: Packed,
    predictors: TokenIndices,
    targets: Tensor,
    temperature: float = 1.0,
    precision: torch.dtype = torch.float32,
    *,
    whole: bool = False,
) -> Scores:
    """Score the tokens `targets` (A,), each given all tokens up to its predictor.

    Args:
        predictors: row and column of the token before each target, (A,) each.
        precision: bfloat16 runs the trunk under autocast; logits and softmax are float32 either way.
        whole: the logits of all tokens are asked of the model itself, as a family needs that does more to them than
            `logits` knows.
    """
    if whole:
        output = _run(model, packed, precision, {"output_hidden_states": True})
        hidden, states = output.hidden_states[-1], output.logits[predictors]
    else:
        hidden = trunk_states(model, packed, precision)
        states = hidden[predictors]

    def head(states: Tensor) -> Tensor:
        """(N, V) float32 logits of (N, ...) states."""
        if whole:
            return speakable(model, states.to(torch.float32, copy=True))
        return logits(model, states, precision)

    vocabulary: int = model.get_output_embeddings().weight.shape[0]  # type: ignore[no-untyped-call]
    distributions = Distributions(states, head, vocabulary=vocabulary, temperature=temperature)
    return Scores(hidden, targets, distributions, HeadTokens(*[packed.ids.numel()] * 2) if whole else None)


def trunk_states(
    model: PreTrainedModel, packed: Packed, precision: torch.dtype = torch.float32, *, whole: bool = False
) -> Tensor:
    """(B, T, H) last hidden states, without logits.

    Args:
        whole: as for `score`.
    """
    if whole:
        alone = model._supports_logits_to_keep()  # type: ignore[operator]
        options = {"output_hidden_states": True, **({"logits_to_keep": 1} if alone else {})}
        states: Tensor = _run(model, packed, precision, options).hidden_states[-1]
    else:
        states = _run(model, packed, precision).last_hidden_state
    return states


def _run(model: PreTrainedModel, packed: Packed, precision: torch.dtype, options: dict[str, Any] | None = None) -> Any:
    """What the trunk gives for these rows; with options for it, the whole model."""
    mixed = precision != torch.float32
    inputs = {
        **packed.inputs,
        "attention_mask": packed.attention_mask(precision if mixed else model.dtype),
        "use_cache": False,
        **(options or {}),
    }
    module, run = (model, model) if options else (model.base_model, trunk(model))
    with torch.autocast(packed.ids.device.type, precision, enabled=mixed):
        return run(**accepted(module, inputs))


def accepted(module: nn.Module, inputs: dict[str, Any]) -> dict[str, Any]:
    """Those of some inputs that a model takes; a few families take no attention mask or have no cache to turn off."""
    parameters = inspect.signature(module.forward).parameters
    if any(each.kind == inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return inputs
    return {name: value for name, value in inputs.items() if name in parameters}


def logits(model: PreTrainedModel, hidden: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """(N, V) float32 logits of (N, H) hidden states, with what some model families apply to them: Gemma caps
    them, Granite divides and Cohere multiplies them. Where a family does more, the model is asked itself (`score` with
    `whole`).

    Args:
        precision: what the trunk ran in.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    states = hidden.to(head.weight.dtype)
    product: Tensor = RoundedProduct.apply(states, head.weight) if may_round(head, precision) else head(states)  # type: ignore[no-untyped-call]
    values = product.float()
    config = model.config.get_text_config()
    if divisor := getattr(config, "logits_scaling", None):
        values = values / divisor
    if factor := getattr(config, "logit_scale", None):
        values = values * factor
    if cap := getattr(config, "final_logit_softcapping", None):
        values = torch.tanh(values / cap) * cap
    return speakable(model, values)


def speakable(model: PreTrainedModel, values: Tensor) -> Tensor:
    """The logits (N, V), changed in place: those of tokens that stand for a picture, a video or a sound are `NEVER`,
    since none would belong to such a token that is generated."""
    placeholders = [getattr(model.config, f"{kind}_token_id", None) for kind in ("image", "video", "audio")]
    # Some families have no output embedding for these tokens.
    for token in placeholders:
        if token is not None and token < values.shape[-1]:
            values[:, token] = NEVER  # one by one, since a list would be sent to the device
    return values
