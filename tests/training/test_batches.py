import torch

from shiftgym.training.batches import Sequence, collate, passes

CPU = torch.device("cpu")


def conversation(length: int, spans: list[tuple[int, int]]) -> Sequence:
    size = sum(stop - start for start, stop in spans)
    return Sequence(
        list(range(1, length + 1)),
        spans,
        advantages=[float(turn + 1) for turn in range(len(spans))],
        logprobs=[-0.5] * size,
        reference=[-0.7] * size,
        returns=[0.1] * len(spans),
    )


def test_feedback_and_prompt_are_not_answers() -> None:
    batch = collate([conversation(8, [(2, 4), (6, 8)]), conversation(5, [(3, 5)])], 6, 3, CPU)
    assert batch.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 0, 0, 0]]
    assert batch.attention_mask.sum(1).tolist() == [8, 5]
    assert batch.answers.nonzero().tolist() == [[0, 2], [0, 3], [0, 6], [0, 7], [1, 3], [1, 4]]
    assert batch.advantages.tolist() == [1, 1, 2, 2, 1, 1]
    assert [positions.tolist() for positions in batch.turns] == [[0, 0, 1], [1, 5, 2]]
    assert (batch.tokens, batch.answer_tokens) == (13, 6)


def test_passes_hold_everything_once_within_the_limit_and_waste_little() -> None:
    sequences = [conversation(length, [(2, length)]) for length in (30, 5, 29, 6, 4, 28)]
    cut = list(passes(sequences, 60, CPU))
    assert [batch.ids.shape[0] for batch in cut] == [3, 2, 1]
    assert all(batch.ids.numel() <= 60 for batch in cut)
    assert sum(batch.tokens for batch in cut) == sum(len(s.ids) for s in sequences)
    assert {batch.minibatch_answer_tokens for batch in cut} == {sum(s.answer_tokens for s in sequences)}


def test_a_sequence_longer_than_a_pass_goes_alone() -> None:
    assert [batch.ids.shape for batch in passes([conversation(9, [(2, 9)])] * 2, 5, CPU)] == [(1, 9), (1, 9)]
