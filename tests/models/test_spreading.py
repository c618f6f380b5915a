"""A process alone keeps its model as it is. What ranks do is tried in `test_sharding.py`."""

from typing import Any

import torch

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.paths import reading_path
from shiftgym.models.parallel import ALONE
from shiftgym.models.sharding import is_sharded
from shiftgym.models.spreading import deal_out, kept_copy


def test_a_model_of_a_process_alone_is_not_dealt_out(make_tiny: Any) -> None:
    model, tokenizer = make_tiny("llama")
    kind, weights = type(model), list(model.parameters())
    deal_out(model, ChatFormat.of(model, tokenizer), ALONE)
    assert type(model) is kind
    assert all(one is other for one, other in zip(weights, model.parameters(), strict=True))
    assert not is_sharded(model)


def test_a_copy_of_a_process_alone_shares_what_is_not_trained(make_tiny: Any) -> None:
    model, tokenizer = make_tiny("llama")
    model.model.layers[0].requires_grad_(False)
    chat_format = ChatFormat.of(model, tokenizer)
    kept = kept_copy(model, chat_format, ALONE)
    shared = {id(weight) for weight in kept.parameters()} & {id(weight) for weight in model.parameters()}
    assert shared == {id(weight) for weight in model.model.layers[0].parameters()}
    assert reading_path(kept, chat_format) == reading_path(model, chat_format)
    with torch.no_grad():
        assert kept(torch.zeros(1, 3, dtype=torch.long)).logits.isfinite().all()
