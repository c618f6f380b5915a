"""How many tokens a model takes."""

import sys
from functools import cache

from transformers import PreTrainedModel

from shiftgym.models.prefixes import decoder_config


def position_limit(model: PreTrainedModel) -> int:
    """The longest conversation of a model in tokens, by its configuration; `sys.maxsize` where there is no limit.

    A rotary embedding that is scaled reaches further than the configuration says. ALiBi and recurrent models count no
    positions.
    """
    config = decoder_config(model)
    limit = getattr(config, "max_position_embeddings", None)
    if not limit or limit < 0 or getattr(config, "alibi", False) or hasattr(config, "context_length"):
        return sys.maxsize
    rotary = getattr(config, "rope_parameters", None) or {}
    scaled = rotary.get("original_max_position_embeddings", limit) * rotary.get("factor", 1)
    return max(int(limit), int(scaled))


@cache
def tell_limit(name: str, limit: int) -> None:
    """Say once on stderr that a conversation did not fit the model."""
    ends = "its decision ends as too long, with the verdict of an empty answer"
    print(f"a conversation is longer than the {limit} tokens that {name} takes: {ends}", file=sys.stderr)
