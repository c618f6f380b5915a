"""A real route on the shipped backbone: rows that its decisions share give what each decision alone gives."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.loading.load import load_policy
from shiftgym.models.microbatches import microbatches
from shiftgym.models.score import score
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

TASK = build_task("navigation", splits={"train": {}})
WALK = list(decisions(TASK, TASK.problem("train", 0)))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone() -> tuple[Any, ChatFormat]:
    return load_policy("navigation-0")


def logprobs(model: Any, sequences: list[Conversation], *, trees: bool) -> tuple[list[list[float]], int]:
    """Of each sequence's answer tokens, and how many tokens were read for them."""
    found: dict[int, list[float]] = {}
    read = 0
    for batch in microbatches(sequences, 10**5, CPU, trees=trees):
        with torch.no_grad():
            flat: Iterator[float] = iter(score(model, batch.packed, batch.predictors, batch.targets).logprobs.tolist())
        for member in batch.members:
            found[member] = [next(flat) for _ in range(sequences[member].answer_tokens)]
        read += batch.packed.ids.numel()
    return [found[place] for place in range(len(sequences))], read


def test_a_route_in_a_tree_scores_as_fresh_rows(backbone: tuple[Any, ChatFormat]) -> None:
    model, chat_format = backbone
    sequences = []
    for decision in WALK:
        prompt = chat_format.prompt(decision.prompt)
        ids = [*prompt, *chat_format.answer(TASK.expert(decision))]
        sequences.append(Conversation(ids, [(len(prompt), len(ids))]))
    packed, shared = logprobs(model, sequences, trees=True)
    alone = [logprobs(model, [sequence], trees=False)[0][0] for sequence in sequences]
    assert len(sequences) > 2 and shared < 0.6 * sum(len(sequence.ids) for sequence in sequences)
    for values, fresh in zip(packed, alone, strict=True):
        assert values == pytest.approx(fresh, abs=1e-4)


def test_a_route_is_answered_at_once_as_one_decision_at_a_time(backbone: tuple[Any, ChatFormat]) -> None:
    model, chat_format = backbone
    policy = ModelPolicy(model, chat_format, temperature=0, max_new_tokens=8, seed=0)

    def answered(walk: list[Any]) -> list[list[int]]:
        chat = policy.start(walk, [["test"]] * len(walk))
        chat.reply(range(len(walk)), [[] for _ in walk])
        return [transcript.ids for transcript in chat.transcripts()]

    assert answered(WALK) == [answered([decision])[0] for decision in WALK]
