"""The order of branches, and what each starts from."""

from pathlib import Path

from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan
from shiftgym.studies.tables import Init


def test_inits_come_first_then_whole_seeds(tiny_file: Path) -> None:
    branches = plan(load_study(tiny_file, ["seeds=[0, 5]"]))
    titles = [branch.title for branch in branches]
    assert titles == ["init-seed0", "init-seed5", "sft-seed0", "ppo-seed0", "sft-seed5", "ppo-seed5"]
    starts = [branch.start for branch in branches]
    assert starts == [None, None, "init-seed0", "init-seed0", "init-seed5", "init-seed5"]
    assert isinstance(branches[0].table, Init)
