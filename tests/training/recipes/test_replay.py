from typing import Any

from shiftgym.training.recipes.replay import Replay


def test_a_share_of_every_batch_is_rehearsed(bench: Any) -> None:
    learned = bench.collected(bench.make(Replay, batch=8, share=0.25, problems=12, max_new_tokens=3))
    assert len(learned) == 8
    assert all(bench.right(conversation) for conversation in learned[:6])
    assert not all(bench.right(each) for each in learned[6:]), "its own answers are kept, right or wrong"
