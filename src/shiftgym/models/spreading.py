"""A model that is dealt out to ranks, with what its conversations need."""

from transformers import PreTrainedModel

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.paths import reading_path, share_path
from shiftgym.models.lora import frozen_copy
from shiftgym.models.parallel import Ranks
from shiftgym.models.sharding import apart, gathered, hollow, shard


def deal_out(model: PreTrainedModel, chat_format: ChatFormat, ranks: Ranks) -> None:
    """Give each rank its part of the model's weights, in place, on its device; nothing to do for a process alone.

    Copies that are to keep the present weights are made before (`kept_copy`), and the optimizer is made after.
    """
    if ranks.alone:
        return
    if chat_format.pictures is not None:
        # An encoder that is cut up cannot be run by one rank to count its FLOPs.
        chat_format.pictures.count_by(hollow(model, ranks.device))
    shard(model, ranks)
    with gathered(model):
        reading_path(model, chat_format)


def kept_copy(model: PreTrainedModel, chat_format: ChatFormat, ranks: Ranks) -> PreTrainedModel:
    """A copy that keeps the present weights and is read as the model is; see `frozen_copy`. Over ranks it is dealt out
    too, and shares nothing with the model, which must be whole still."""
    if ranks.alone:
        kept = frozen_copy(model)
        share_path(kept, model, chat_format)
    else:
        kept = frozen_copy(model, apart(model))
        deal_out(kept, chat_format, ranks)
    return kept
