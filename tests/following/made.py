"""Run folders of any size with made-up numbers, in the shape that a study leaves. No model was involved."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftgym.layout import BranchFolder, RunFolder, branch_title

BUDGET = 1e12
SPLITS = ("id", "rule_ood")
DECODINGS = ("sampled", "greedy")

STUDY = """
name = "made"
title = "Made-up numbers, no model"
model = "points-0"
seeds = {seeds}
data_seed = 3

[task]
name = "points"
limit = {limit}

[splits.train]
rule = "faces_as_ten"
[splits.id]
rule = "faces_as_ten"
hands = "test"
[splits.rule_ood]
rule = "faces_as_11_12_13"
hands = "test"

[compare]
train = "train"
home = "id"
shifted = ["rule_ood"]
supervised = "branch-0"
reinforced = "branch-1"
decoding = "sampled"

[evaluation]
splits = ["id", "rule_ood"]
problems = {problems}
decodings = ["sampled", "greedy"]
samples = 1
temperature = 1.0
max_new_tokens = 96

[budget]
flops = 1e12
accounting = "executed"
checkpoints = {fractions}

[init]
recipe = "sft"
steps = 2
"""

BRANCH = """
[branches.branch-{number}]
recipe = "ppo"
label = "Branch {number}"
start = "init"
start_at = 1.0
"""


@dataclass(frozen=True)
class Made:
    """The size of a run."""

    branches: int = 2
    """Beside the start."""
    seeds: int = 2
    checkpoints: int = 3
    """Of each branch; the start has one."""
    problems: int = 4
    steps: int = 4
    """Between two checkpoints."""
    limit: int = 5

    @property
    def names(self) -> list[str]:
        return ["init", *(f"branch-{number}" for number in range(self.branches))]

    @property
    def fractions(self) -> list[float]:
        return [(number + 1) / self.checkpoints for number in range(self.checkpoints)]

    def study(self) -> str:
        """The text of `study.toml`."""
        head = STUDY.format(
            seeds=[*range(self.seeds)], limit=self.limit, problems=self.problems, fractions=self.fractions
        )
        return head + "".join(BRANCH.format(number=number) for number in range(self.branches))

    def write(self, folder: Path, *, workers: int = 2) -> Path:
        """The whole run, as if it had ended well; the folder."""
        self.prepare(folder, workers=workers)
        for name in self.names:
            for seed in range(self.seeds):
                self.write_branch(RunFolder(folder).branch(branch_title(name, seed)), name, seed)
        return folder

    def prepare(self, folder: Path, *, workers: int = 2) -> RunFolder:
        """What there is before the first branch has begun."""
        run = RunFolder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        run.study.write_text(self.study(), encoding="utf-8")
        run.environment.write_text(json.dumps({"workers": workers, "started": "2026-01-01T12:00:00"}))
        return run

    def write_branch(self, folder: BranchFolder, name: str, seed: int, checkpoints: int | None = None) -> None:
        """A branch up to some checkpoint; by default all of it, with `done.json`."""
        whole = 1 if name == "init" else self.checkpoints
        count = whole if checkpoints is None else checkpoints
        folder.path.mkdir(parents=True, exist_ok=True)
        steps = range(1, 3) if name == "init" else range(1, count * self.steps + 1)
        lines(folder.metrics, (self.metrics(name, seed, step) for step in steps))
        lines(folder.timings, ({"step": step, "collect": 1.5, "learn": 0.5} for step in steps))
        with folder.results.open("w") as file:
            for number in range(count):
                file.writelines(self.rows(name, seed, number))
        lines(folder.evaluation_episodes, self.episodes(name, seed, range(count)))
        folder.log.write_text("as it printed\n")
        if checkpoints is None:
            folder.done.write_text('{"state": "done", "message": ""}')

    def metrics(self, name: str, seed: int, step: int) -> dict[str, Any]:
        """A line of metrics.jsonl."""
        noise = random.Random(f"{name} {seed} {step}").random()
        spent = BUDGET * step / (self.checkpoints * self.steps)
        return {
            "step": step,
            "flops": int(spent),
            "flops_paper": 0.9 * spent,
            "tokens_trained": 1000 * step,
            "tokens_generated": 500 * step,
            "learning_rate": 1e-4,
            "loss": noise,
            "policy_loss": noise / 2,
            "entropy": 1 - noise,
            "clip_fraction": 0.01 * noise,
            "kl": noise / 3,
            "value_loss": noise / 4,
            "grad_norm": 1 + noise,
            "reward": 5 * noise,
            "success": noise,
            "success_1": noise / 2,
            "attempts": 1 + noise,
            "answer_tokens": 50 + noise,
            "explained_variance": noise - 0.5,
        }

    def origin(self, name: str, seed: int, number: int) -> dict[str, Any]:
        """The first columns of the rows of a checkpoint."""
        if name == "init":
            return {"branch": name, "seed": seed, "step": 2, "fraction": 0.0, "flops": 0, "flops_paper": 0.0}
        spent = {"fraction": self.fractions[number], "flops": int(BUDGET * self.fractions[number])}
        step = (number + 1) * self.steps
        return {"branch": name, "seed": seed, "step": step, **spent, "flops_paper": 0.9 * spent["flops"]}

    def rows(self, name: str, seed: int, number: int) -> Iterator[str]:
        """The rows of a checkpoint, as lines."""
        draw = random.Random(f"{name} {seed} {number}").random
        head = json.dumps(self.origin(name, seed, number))[:-1]
        for decoding in DECODINGS:
            for split in SPLITS:
                for problem in range(self.problems):
                    first = draw() < 0.5
                    solved = first or draw() < 0.5
                    yield (
                        f'{head}, "split": "{split}", "decoding": "{decoding}", "problem": {problem}, '
                        f'"success_1": {first:.1f}, "success": {solved:.1f}, "whole": {solved:.1f}, '
                        f'"per_step": {solved / (1 if first else 3)}, "attempts": {1 if first else 3}.0, '
                        f'"reward": {5.0 if first else -1.0}, "valid": 1.0, "translated": null, '
                        f'"perseverated": null, "recognised": null, "tokens": 52.0, "cut": 0.0, "empty": 0.0, '
                        f'"too_long": 0.0, "decisions": [{{"outcomes": ["correct"], "right": {solved:d}, '
                        f'"style": "worked", "kinds": []}}]}}\n'
                    )

    def episodes(self, name: str, seed: int, numbers: range) -> Iterator[dict[str, Any]]:
        """The lines of evaluation_episodes.jsonl of some checkpoints."""
        for number in numbers:
            for decoding in DECODINGS:
                for split in SPLITS:
                    for problem in range(min(12, self.problems)):
                        yield {
                            **self.origin(name, seed, number),
                            "split": split,
                            "decoding": decoding,
                            "schema": 1,
                            "problem": {"split": split, "index": problem},
                            "success": True,
                            "reward": 5.0,
                            "decisions": [
                                {
                                    "prompt": [{"role": "user", "content": f"problem {problem} of {split} " * 40}],
                                    "attempts": [
                                        {"answer": '{"formula": "1 + 2"}', "outcome": "correct", "reward": 5.0,
                                         "feedback": "", "correct": True, "tokens": 50, "stop": "end"}
                                    ],
                                }
                            ],
                        }  # fmt: skip


def lines(path: Path, records: Any) -> None:
    """Write a file of JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
