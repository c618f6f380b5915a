"""One candidate at one checkpoint."""

import json
from pathlib import Path

import pytest
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.answer import answer, answered, origin
from shiftgym.candidates.find import Candidate, Checkpoint
from shiftgym.candidates.run import prepare
from shiftgym.layout import RunFolder
from shiftgym.tasks.base import Task


def test_an_answer_is_whole_once_everything_was_asked(tmp_path: Path, task: Task) -> None:
    given = [Coin(task, 0.5), Coin(task, 0.5)]
    judging = prepare(given, study="points-text", overrides=SMALL)
    base = judging.base
    assert not answered(judging, base, base.checkpoints[0], tmp_path)
    answer(judging, base, base.checkpoints[0], tmp_path)
    assert answered(judging, base, base.checkpoints[0], tmp_path)
    more = prepare(given, study="points-text", overrides=[*SMALL, "evaluation.problems=9"])
    assert not answered(more, base, base.checkpoints[0], tmp_path)


def test_probes_of_what_has_no_log_probabilities(tmp_path: Path, task: Task) -> None:
    judging = prepare(
        [Coin(task, 1.0), Coin(task, 0.0)],
        study="points-text",
        overrides=[*SMALL, "probes.splits=['id']", "probes.problems=2", "probes.samples=4"],
        probes=True,
    )
    for candidate in judging.candidates:
        answer(judging, candidate, candidate.checkpoints[0], tmp_path)
    of = judging.candidates[1]
    rows = [json.loads(line) for line in RunFolder(tmp_path).candidate(of.key, 0).probes.read_text().splitlines()]
    assert [row["kl_to_start"] for row in rows] == [None, None]
    assert [row["retained"] for row in rows] == [0.0, 0.0]
    assert all(row["pass_at"]["4"] == 0 for row in rows)


@pytest.mark.parametrize(("step", "fraction"), [(10, 0.25), (40, 1.0)])
def test_a_checkpoint_has_its_place_on_the_way(step: int, fraction: float) -> None:
    judging = prepare(["points-0", "points-0"], study="points-text", overrides=SMALL)
    candidate = Candidate("sft", "SFT", (Checkpoint("a", 10, 5.0), Checkpoint("b", 40, 9.0)))
    checkpoint = next(each for each in candidate.checkpoints if each.step == step)
    found = origin(judging, candidate, checkpoint)
    assert (found["branch"], found["fraction"], found["flops"]) == ("sft", fraction, checkpoint.flops)
