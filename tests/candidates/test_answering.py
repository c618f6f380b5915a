"""One candidate that has to answer at one checkpoint."""

from pathlib import Path

from shiftgym.candidates.answering import Answering
from shiftgym.candidates.find import Candidate, Checkpoint


def test_a_candidate_of_several_checkpoints_says_which() -> None:
    first, last = Checkpoint("a", 10), Checkpoint("b", 20)
    assert Answering(Candidate("sft", "SFT", (last,)), last).title == "SFT"
    assert Answering(Candidate("sft", "SFT", (first, last)), first).title == "SFT at step 10"
    assert Answering(Candidate("sft", "SFT", (last,)), last).folder(Path("run")).path == Path(
        "run/candidates/sft/step-000020"
    )
