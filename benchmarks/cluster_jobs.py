"""What the processes of `cluster.py` do: light branches, which learn nothing and import no torch, and steps of SFT."""

import json
import random
import time
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from shiftgym.files import append_lines, read_json, write_lines, write_text
from shiftgym.layout import BranchFolder

FRACTIONS = (0.5, 1.0)
SPLITS = ("id", "rule_ood")
DECODINGS = ("sampled", "greedy")
PROBLEMS = 8
READ = 2
"""Problems whose whole episodes are kept."""


def write_light(folder: Path, branch: str, seed: int) -> None:
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


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def make_model(folder: Path, hidden: int, layers: int) -> None:
    """Write a model with random weights that speaks like points-0; 384 wide with 10 layers it has 20M parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shiftgym.models.loading.load import load_policy

    torch.manual_seed(0)  # noqa: TID251  a benchmark's weights may come from the global generator
    small, chat_format = load_policy("points-0")
    config = LlamaConfig.from_dict(
        small.config.to_dict()
        | {"hidden_size": hidden, "intermediate_size": 3 * hidden, "num_hidden_layers": layers, "head_dim": 16}
        | {"num_attention_heads": hidden // 16, "num_key_value_heads": hidden // 16}
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    chat_format.tokenizer.save_pretrained(folder)


def learn(model: Path, folder: Path, steps: int, batch: int, threads: int) -> None:
    """Some steps of SFT on one batch of hands, as one of the ranks that the environment names."""
    import torch

    from shiftgym.models.parallel import Ranks
    from shiftgym.training.trainer import train

    torch.set_num_threads(threads)
    ranks = Ranks.joined("cpu")
    ends: list[float] = []
    settings = {"problems": batch, "batch": batch, "tokens_per_pass": 1024, "precision": "float32"}
    train(
        str(model), "sft", "points", settings=settings, folder=folder, steps=steps, ranks=ranks,
        on_step=lambda _: ends.append(time.perf_counter()),
    )  # fmt: skip
    if ranks.first:
        write_text(folder / "ends.json", json.dumps({"ends": ends}))


def seconds_of_steps(folder: Path) -> list[float]:
    """Of all steps of `learn` but the first."""
    ends = read_json(folder / "ends.json")["ends"]
    return [after - before for before, after in pairwise(ends)]


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
