"""Log-probabilities of answer tokens, from which every loss is computed.

The trunk runs over the whole batch, and the output embeddings only where an answer token is predicted: prompts and
feedback need no logits.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from shiftgym.models.prefixes import Packed

TokenIndices = tuple[Tensor, Tensor]
"""Row and column of each of some tokens, two int64 tensors of the same length."""


NEVER = -1e9
"""Logit of a token that is never generated; finite, so that it adds 0 to an entropy."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of A answer tokens."""

    log_softmax: Tensor
    """(A, V) float32, at the temperature asked for."""
    logprobs: Tensor
    """(A,) float32, log-probability of each answer token."""
    hidden: Tensor
    """(B, T, H) last hidden state of the trunk."""

    @property
    def entropy(self) -> Tensor:
        """(A,) float32, entropy in nats of the distribution that each answer token comes from."""
        return -(self.log_softmax.exp() * self.log_softmax).sum(-1)

    def divergence(self, other: "Scores") -> Tensor:
        """(A,) float32, KL(this || other) in nats of the distributions that each answer token comes from."""
        return (self.log_softmax.exp() * (self.log_softmax - other.log_softmax)).sum(-1)


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
        output = _run(model, packed, precision, output_hidden_states=True)
        hidden, values = output.hidden_states[-1], speakable(model, output.logits[predictors].float())
    else:
        hidden = trunk_states(model, packed, precision)
        values = logits(model, hidden[predictors])
    log_softmax = torch.log_softmax(values / temperature, dim=-1)
    return Scores(log_softmax, log_softmax.gather(-1, targets[:, None]).squeeze(-1), hidden)


def trunk_states(
    model: PreTrainedModel, packed: Packed, precision: torch.dtype = torch.float32, *, whole: bool = False
) -> Tensor:
    """(B, T, H) last hidden states, without logits.

    Args:
        whole: as for `score`.
    """
    if whole:
        states: Tensor = _run(model, packed, precision, output_hidden_states=True).hidden_states[-1]
    else:
        states = _run(model, packed, precision, trunk=True).last_hidden_state
    return states


def _run(
    model: PreTrainedModel, packed: Packed, precision: torch.dtype, *, trunk: bool = False, **options: bool
) -> Any:
    """What a model, or its trunk alone, gives for these rows."""
    mixed = precision != torch.float32
    inputs = {
        **packed.inputs,
        "attention_mask": packed.attention_mask(precision if mixed else model.dtype),
        "use_cache": False,
        **options,
    }
    module: nn.Module = model.base_model if trunk else model
    with torch.autocast(packed.ids.device.type, precision, enabled=mixed):
        return module(**accepted(module, inputs))


def accepted(module: nn.Module, inputs: dict[str, Any]) -> dict[str, Any]:
    """Those of some inputs that a model takes; a few families take no attention mask or have no cache to turn off."""
    parameters = inspect.signature(module.forward).parameters
    if any(each.kind == inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return inputs
    return {name: value for name, value in inputs.items() if name in parameters}


def logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """(N, V) float32 logits of (N, H) hidden states, with what some model families apply to them: Gemma caps
    them, Granite divides and Cohere multiplies them. A vision-language model never generates its image token, since no
    picture would belong to it. Where a family does more, the model is asked itself (`score` with `whole`)."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    values: Tensor = head(hidden.to(head.weight.dtype)).float()
    config = model.config.get_text_config()
    if divisor := getattr(config, "logits_scaling", None):
        values = values / divisor
    if factor := getattr(config, "logit_scale", None):
        values = values * factor
    if cap := getattr(config, "final_logit_softcapping", None):
        values = torch.tanh(values / cap) * cap
    return speakable(model, values)


def speakable(model: PreTrainedModel, values: Tensor) -> Tensor:
    """The logits (N, V), changed in place: those of tokens that stand for a picture are `NEVER`."""
    placeholders = [getattr(model.config, name, None) for name in ("image_token_id", "video_token_id")]
    # Some families have no output embedding for these tokens.
    if unwritten := [token for token in placeholders if token is not None and token < values.shape[-1]]:
        values[:, unwritten] = NEVER
    return values
