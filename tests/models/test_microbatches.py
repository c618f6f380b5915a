import torch

from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.microbatches import microbatches

CPU = torch.device("cpu")


def conversation(length: int, spans: list[tuple[int, int]]) -> Conversation:
    size = sum(stop - start for start, stop in spans)
    return Conversation(
        list(range(1, length + 1)),
        spans,
        weights=[float(turn + 1) for turn, (start, stop) in enumerate(spans) for _ in range(start, stop)],
        logprobs=[-0.5] * size,
        reference=[-0.7] * size,
        returns=[0.1] * len(spans),
    )


def places(pair: tuple[torch.Tensor, torch.Tensor]) -> list[tuple[int, int]]:
    return list(zip(*(column.tolist() for column in pair), strict=True))


def test_feedback_and_prompt_are_not_answers() -> None:
    minibatch = [conversation(8, [(2, 4), (6, 8)]), conversation(5, [(3, 5)])]
    (batch,) = microbatches(minibatch, 100, CPU, trees=False)
    assert batch.members == [1, 0]
    assert batch.packed.ids.tolist() == [[1, 2, 3, 4, 5, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8]]
    assert places(batch.predictors) == [(0, 2), (0, 3), (1, 1), (1, 2), (1, 5), (1, 6)]
    assert batch.targets.tolist() == [4, 5, 3, 4, 7, 8]
    assert batch.weights.tolist() == [1, 1, 1, 1, 2, 2]
    assert places(batch.attempts) == [(0, 2), (1, 1), (1, 5)]
    assert (batch.tokens, batch.answer_tokens) == (13, 6)


def test_conversations_that_begin_alike_share_a_row() -> None:
    minibatch = [conversation(8, [(2, 4), (6, 8)]), conversation(5, [(3, 5)]), conversation(8, [(6, 8)])]
    (batch,) = microbatches(minibatch, 100, CPU, trees=True)
    assert batch.packed.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]]
    assert (batch.tokens, batch.answer_tokens, batch.minibatch_attempts) == (21, 8, 4)
    for (_, before), target in zip(places(batch.predictors), batch.targets.tolist(), strict=True):
        assert target == batch.packed.ids[0, before + 1]


def test_passes_hold_everything_once_within_the_limit_and_waste_little() -> None:
    sequences = [conversation(length, [(2, length)]) for length in (30, 5, 29, 6, 4, 28)]
    cut = list(microbatches(sequences, 60, CPU, trees=False))
    assert [batch.packed.ids.shape[0] for batch in cut] == [3, 2, 1]
    assert all(batch.packed.ids.numel() <= 60 for batch in cut)
    assert sorted(member for batch in cut for member in batch.members) == list(range(6))
    assert sum(batch.tokens for batch in cut) == sum(len(s.ids) for s in sequences)
    assert {batch.minibatch_answer_tokens for batch in cut} == {sum(s.answer_tokens for s in sequences)}


def test_a_sequence_longer_than_a_pass_goes_alone() -> None:
    cut = microbatches([conversation(9, [(2, 9)])] * 2, 5, CPU, trees=False)
    assert [batch.packed.ids.shape for batch in cut] == [(1, 9), (1, 9)]


def test_a_conversation_without_weights_counts_in_full_beside_others() -> None:
    bare = Conversation([1, 2, 3, 4], [(2, 4)])
    (batch,) = microbatches([conversation(5, [(3, 5)]), bare], 100, CPU, trees=False)
    assert batch.members == [1, 0]
    assert batch.weights.tolist() == [1, 1, 1, 1]
    half = Conversation([1, 2, 3, 4], [(2, 4)], weights=[0.5, -2.0])
    (batch,) = microbatches([half], 100, CPU, trees=False)
    assert batch.weights.tolist() == [0.5, -2.0]
