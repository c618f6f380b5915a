"""The `[compare]` table: what a study compares, declared before it runs. Reports judge by it and by nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shiftgym.evaluation.evaluate import Decoding

Part = Literal["supervised", "reinforced", "control", "further"]


class Compare(BaseModel):
    """The splits and branches that are compared, and the one measure that decides. Everything else is secondary."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    train: str = "train"
    """The split that branches learn from. By default the one of `[init]`."""
    home: str = ""
    """Unseen problems under the trained setting. By default the evaluated split that differs from `train` only in its
    problems, or else `train` itself."""
    shifted: tuple[str, ...] = ()
    """Splits that differ from training in one factor. By default every other evaluated split."""
    supervised: str | None = None
    """The supervised branch that the study is about. By default the only one there is."""
    reinforced: str | None = None
    """The branch trained by reinforcement that the study is about. By default the only one there is."""
    controls: tuple[str, ...] = ()
    """Branches that test other explanations of a difference."""
    measure: str = "success"
    """The one primary measure, a column of `results.jsonl`."""
    decoding: Decoding = "sampled"
    """Decoding of the answers that the primary measure is taken from. By default `sampled` if that is evaluated."""
    margin: float = Field(0.05, gt=0, lt=1)
    """A change counts as none where its whole interval is smaller than this, as a share: 0.05 is 5 points. Only
    `shiftgym compare` uses it."""
    measures: dict[str, str] = {}
    """Shifted split -> its primary measure, where that is another."""

    def primary(self, split: str) -> str:
        """The primary measure on a split."""
        return self.measures.get(split, self.measure)

    def part(self, branch: str) -> Part:
        """What a branch is in the comparison."""
        if branch == self.supervised:
            return "supervised"
        if branch == self.reinforced:
            return "reinforced"
        return "control" if branch in self.controls else "further"
