"""One candidate that has to answer at one checkpoint."""

from dataclasses import dataclass
from pathlib import Path

from shiftgym.candidates.find import Candidate, Checkpoint
from shiftgym.layout import BranchFolder, RunFolder, candidate_title


@dataclass(frozen=True, slots=True)
class Answering:
    """One candidate that has to answer at one checkpoint."""

    candidate: Candidate
    checkpoint: Checkpoint

    @property
    def title(self) -> str:
        """The candidate, and the step where it has several."""
        several = len(self.candidate.checkpoints) > 1
        return candidate_title(self.candidate.label, self.checkpoint.step, several=several)

    def folder(self, run: Path) -> BranchFolder:
        return RunFolder(run).candidate(self.candidate.key, self.checkpoint.step)
