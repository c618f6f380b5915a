"""A comparison that grows along a training: BASE before it, and one candidate, checkpoint by checkpoint."""

import shutil
from dataclasses import replace
from pathlib import Path

from shiftgym.candidates.answer import answer, answered
from shiftgym.candidates.compared import Compared
from shiftgym.candidates.find import BASE, Candidate, Checkpoint
from shiftgym.candidates.judging import Judging, recorded_candidates
from shiftgym.candidates.verdicts import finish
from shiftgym.evaluation.evaluate import Evaluation
from shiftgym.files import read_lines
from shiftgym.layout import RunFolder
from shiftgym.models.resolve import PolicyLike
from shiftgym.studies.config import Study
from shiftgym.studies.run_folder import only_one

START = "start"
"""What BASE is called."""
TRAINED = "trained"
"""The branch of the model in training in rows, and the name of its folder."""


class Trajectory:
    """The measurements of one training. The first is BASE, each later one a checkpoint of the model in training.

    Args:
        folder: the run folder, which nothing else writes to. A new training empties it; one that is resumed keeps what
            was measured up to the step where it is taken up.
        study: as `judged_study` gives it.
        label: what the model in training is called in tables and sentences.
        begun: optimizer steps that were taken before; 0 for a new training.

    Raises:
        ConfigError: what the folder holds was measured with other settings.
    """

    def __init__(self, folder: Path, study: Study, label: str, begun: int) -> None:
        self.folder, self.study, self.label = folder, study, label
        if not begun:
            shutil.rmtree(folder, ignore_errors=True)
        self._candidates: dict[str, Candidate] = {}
        before = recorded_candidates(RunFolder(folder))
        for each in before:
            there = [one for one in each.checkpoints if one.step <= begun]
            if kept := tuple(one for one in there if answered(Judging(study, before), each, one, folder)):
                self._candidates[each.key] = replace(each, checkpoints=kept)

    @property
    def steps(self) -> list[int]:
        """The steps that were measured."""
        return [checkpoint.step for each in self._candidates.values() for checkpoint in each.checkpoints]

    def measure(self, step: int, policy: PolicyLike, flops: float | None) -> None:
        """Measure the weights after `step`, which no earlier measurement has, and judge the training by them.

        Args:
            policy: what answers, as `evaluate` takes it.
            flops: FLOPs of training so far; None if nobody counted them.
        """
        key, label = (TRAINED, self.label) if self._candidates else (BASE, START)
        checkpoint = Checkpoint(f"{self.folder}, step {step}", step, flops)
        before = self._candidates[key].checkpoints if key in self._candidates else ()
        candidate = Candidate(key, label, (*before, checkpoint))
        judging = Judging(self.study, tuple((self._candidates | {key: candidate}).values()))
        # Left by a training that was interrupted, and then resumed from an earlier step.
        shutil.rmtree(RunFolder(self.folder).candidate(key, step).path, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        with only_one(RunFolder(self.folder)):
            answer(judging, replace(candidate, policy=policy), checkpoint, self.folder)
            finish(judging, self.folder)
        self._candidates[key] = candidate

    def found(self, step: int) -> Evaluation:
        """What was measured at a step. It holds no episodes; the run folder does."""
        (key,) = (key for key, each in self._candidates.items() if step in [one.step for one in each.checkpoints])
        return Evaluation(rows=list(read_lines(RunFolder(self.folder).candidate(key, step).results)))

    @property
    def compared(self) -> Compared:
        """The verdicts on the last measurement."""
        return Compared(self.folder, {})
