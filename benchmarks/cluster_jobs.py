"""A light branch for `cluster.py`: it learns nothing, imports no torch, and writes what a branch leaves behind."""

import json
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from shiftgym.files import append_lines, write_lines, write_text
from shiftgym.layout import BranchFolder

FRACTIONS = (0.5, 1.0)
SPLITS = ("id", "rule_ood")
DECODINGS = ("sampled", "greedy")
PROBLEMS = 8
READ = 2
"""Problems whose whole episodes are kept."""


def write_branch(folder: Path, branch: str, seed: int) -> None:
    """What a branch with one seed leaves behind, with made-up numbers that follow from its name and seed."""
    chance = random.Random(f"{branch} {seed}")
    to = BranchFolder(folder)
    to.path.mkdir(parents=True, exist_ok=True)
    fractions = (0.0,) if branch == "init" else FRACTIONS
    for step, fraction in enumerate(fractions, 1):
        append_lines(to.metrics, [{"step": step, "flops": 4e12 * fraction, "loss": 1.0}])
    # Branches differ in what they reach at home and under the shift, and seeds and problems differ a little.
    level = random.Random(branch).random(), random.Random(f"{branch} away").random()
    rows = list(_rows(chance, branch, seed, fractions, level))
    write_lines(to.results, rows)
    write_lines(to.evaluation_episodes, [_episode(row) for row in rows if row["problem"] < READ])
    write_text(to.done, json.dumps({"state": "done", "message": ""}))


def _rows(
    chance: random.Random, branch: str, seed: int, fractions: tuple[float, ...], level: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    for step, fraction in enumerate(fractions, 1):
        for (split, end), decoding, problem in product(zip(SPLITS, level, strict=True), DECODINGS, range(PROBLEMS)):
            first = float(chance.random() < 0.4 + (end - 0.4) * fraction)
            last = max(first, float(chance.random() < 0.3))
            outcomes = ["correct"] if first else ["wrong_value", "correct" if last else "illegal"]
            right = len(outcomes) if last else 0
            yield {
                "branch": branch, "seed": seed, "step": step, "fraction": fraction,
                "flops": 4e12 * fraction, "flops_paper": 3e12 * fraction,
                "split": split, "decoding": decoding, "problem": problem,
                "success_1": first, "success": last, "whole": last, "per_step": last / len(outcomes),
                "attempts": float(len(outcomes)), "reward": 5.0 if last else -1.0, "valid": 1.0,
                "translated": first, "perseverated": 1 - first if split == "rule_ood" else None, "tokens": 50.0,
                "decisions": [{"outcomes": outcomes, "right": right, "style": "worked", "kinds": []}],
            }  # fmt: skip


def _episode(row: dict[str, Any]) -> dict[str, Any]:
    origin = {name: row[name] for name in ("branch", "seed", "step", "fraction", "split", "decoding")}
    attempts = [
        {"answer": "{}", "outcome": outcome, "reward": 0.0, "feedback": outcome, "tokens": 50, "stop": "end"}
        for outcome in row["decisions"][0]["outcomes"]
    ]
    prompt = [{"role": "user", "content": f"Problem {row['problem']} of {row['split']}."}]
    return {
        **origin,
        "problem": {"split": row["split"], "index": row["problem"]},
        "success": row["success"],
        "reward": row["reward"],
        "decisions": [{"prompt": prompt, "attempts": attempts}],
    }
