from itertools import chain
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from shiftgym.training.recipes.distill import Distill


def test_a_failed_answer_is_judged_by_the_model_that_read_the_feedback(bench: Any) -> None:
    recipe = bench.make(Distill, episodes_per_iteration=16, max_new_tokens=3, reward_scale=0.5)
    collection = recipe.collect(1)
    learned = list(chain(*collection.groups))
    failed = [episode for episode in collection.episodes if not episode.success]
    assert len(learned) == len(failed) > 0
    chat_format = bench.chat_format
    for conversation in learned:
        ((start, stop),) = conversation.spans
        ids = conversation.ids
        ended = ids[-1] in chat_format.end_ids
        told = [
            *ids,
            *([] if ended else [chat_format.end_id]),
            *chat_format.tokenizer.encode("<user> wrong <end> <answer>"),
        ]
        again = torch.tensor([[*told, *ids[start:stop]]])
        log_softmax = bench.model(input_ids=again).logits.log_softmax(-1)[0]
        taught = [log_softmax[len(told) + k - 1, ids[start + k]].item() for k in range(stop - start)]
        gains = [0.5 * (now - then) for now, then in zip(taught, conversation.logprobs, strict=True)]
        assert conversation.weights == pytest.approx(gains, abs=1e-4)
    assert all(len(each.reference) == each.answer_tokens for each in bench.collected(recipe))


def test_only_first_answers_are_learned_from() -> None:
    with pytest.raises(ValidationError):
        Distill.Settings(limit=5)
