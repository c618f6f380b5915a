"""A small run folder with made-up numbers, and a tracker that writes down what it is told."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from shiftgym.evaluation.measures import MEASURES
from shiftgym.files import append_lines
from shiftgym.layout import BranchFolder, RunFolder, branch_title
from shiftgym.tracking.base import Point, Summary, Tracked, Whole

STUDY = """
name = "made-up"
title = "Made-up numbers, no model"
model = "points-0"
seeds = [0, 1]
data_seed = 0
[task]
name = "points"
limit = 2
[splits.id]
rule = "faces_as_ten"
[splits.rule_ood]
rule = "faces_as_11_12_13"
[compare]
train = "id"
home = "id"
shifted = ["rule_ood"]
supervised = "sft"
reinforced = "ppo"
decoding = "sampled"
[evaluation]
splits = ["id", "rule_ood"]
problems = 4
max_new_tokens = 96
decodings = ["sampled", "greedy"]
[budget]
flops = 4e9
checkpoints = [0.5, 1.0]
[init]
recipe = "sft"
[branches.sft]
recipe = "sft"
label = "SFT"
batch = 8
[branches.ppo]
recipe = "ppo"
label = "PPO"
[track]
to = ["tensorboard"]
project = "of-the-run"
"""

STEPS = 4
GIGA = 10**9


def write_steps(folder: BranchFolder, steps: Iterable[int]) -> None:
    """What training logs; a gigaflop a step."""
    folder.path.mkdir(parents=True, exist_ok=True)
    for step in steps:
        spent = {"flops": step * GIGA, "flops_paper": 2.0 * step * GIGA}
        append_lines(folder.metrics, [{"step": step, **spent, "loss": 1 / step, "kl": float("nan")}])
        append_lines(folder.timings, [{"step": step, "collect": 0.5, "learn": 0.25}])


def rows(branch: str, seed: int, step: int, right: dict[str, int], *, start: bool = False) -> list[dict[str, Any]]:
    """The rows of one checkpoint. Of each split so many of four problems are right, greedily none is."""
    spent = 0 if start else step * GIGA
    origin = {"branch": branch, "seed": seed, "step": step, "fraction": spent / (STEPS * GIGA)}
    found = []
    for split, count in right.items():
        for decoding in ("sampled", "greedy"):
            for problem in range(4):
                value = float(problem < count and decoding == "sampled")
                measures = dict.fromkeys(MEASURES, value) | {"recognised": None}
                asked = {"split": split, "decoding": decoding, "problem": problem}
                done = [{"outcomes": ["correct"], "right": 1, "style": "none", "kinds": []}]
                found.append(
                    origin | {"flops": spent, "flops_paper": 2.0 * spent} | asked | measures | {"decisions": done}
                )
    return found


@pytest.fixture
def run_folder(tmp_path: Path) -> RunFolder:
    """A study that has ended: two branches with two seeds, of four steps and two checkpoints each."""
    run = RunFolder(tmp_path / "made-up-20260101-120000")
    run.path.mkdir()
    run.study.write_text(STUDY)
    for seed in (0, 1):
        for name, steps in (("init", 1), ("sft", STEPS), ("ppo", STEPS)):
            folder = run.branch(branch_title(name, seed))
            write_steps(folder, range(1, steps + 1))
            checkpoints = [1] if name == "init" else [2, STEPS]
            for step in checkpoints:
                right = {"id": 2, "rule_ood": 3 if name == "ppo" else 1}
                append_lines(folder.results, rows(name, seed, step, right, start=name == "init"))
            folder.done.write_text(json.dumps({"state": "done", "message": ""}))
            with run.results.open("ab") as whole:
                whole.write(folder.results.read_bytes())
    run.report.write_text("<p>a report</p>")
    return run


class Recorder:
    """A tracker that writes down what it is told."""

    where = "nowhere"

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.begun: list[str] = []
        self.points: dict[str, list[Point]] = {}
        self.ended: dict[str, str] = {}
        self.summary: Summary | None = None

    def begin(self, run: Tracked) -> None:
        self.begun.append(run.title)
        self.points[run.title] = []

    def log(self, run: Tracked, points: list[Point]) -> None:
        self.points[run.title] += points

    def end(self, run: Tracked, state: str) -> None:
        self.ended[run.title] = state

    def close(self, summary: Summary | None) -> None:
        self.summary = summary


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    """`tell`, with a tracker that writes down what it is told, which is returned."""
    from shiftgym.tracking import tell

    def telling(folder: Path, project: str | None = None) -> Recorder:
        made: list[Recorder] = []
        monkeypatch.setattr(tell, "load_tracker", lambda name, whole: made.append(Recorder(whole)) or made[0])
        tell.tell(folder, "recorder", project)
        return made[0]

    return telling
