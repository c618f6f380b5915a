"""A model as a policy, on the path that it takes."""

from transformers import PreTrainedModel

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.generation.paths import reading_path
from shiftgym.models.generation.plain import PlainPolicy
from shiftgym.models.ledger import Ledger
from shiftgym.policies.base import Policy


def model_policy(
    model: PreTrainedModel,
    chat_format: ChatFormat,
    *,
    temperature: float,
    max_new_tokens: int,
    seed: int,
    ledger: Ledger | None = None,
) -> Policy:
    """The policy of any model that `load_policy` gives; see `TokenPolicy` for the arguments."""
    path = reading_path(model, chat_format)
    if path.fast:
        return ModelPolicy(
            model, chat_format, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed, ledger=ledger
        )
    return PlainPolicy(
        model, chat_format, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed, ledger=ledger,
        padded=path.padded, cached=path.cached,
    )  # fmt: skip
