"""Run folders with made-up numbers: the shape of a run, drawn from rates that are set here. No model was involved."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_run
from shiftgym.reports.page import build_report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> <!-- & \u2028"
CARD = "---\nlicense: x\n---\n# Card\n\n<script>alert(3)</script>\n\n![p](https://example.org/p.png)\n"
FRACTIONS = (0.1, 0.4, 1.0)
STUDY = """
name = "synthetic"
title = "Synthetic numbers, no model"
model = "{model}"
seeds = {seeds}
data_seed = 0

[task]
name = "points"
limit = {limit}
modality = "{modality}"

[splits.train]
rule = "faces_as_ten"
[splits.id]
rule = "faces_as_ten"
[splits.rule_ood]
rule = "faces_as_11_12_13"

[compare]
train = "train"
home = "id"
shifted = ["rule_ood"]
supervised = "sft"
reinforced = "ppo"
controls = ["sft-diverse", "ppo-noisy"]
decoding = "{decoding}"

[evaluation]
splits = {splits}
problems = {problems}
max_new_tokens = 96
decodings = {decodings}

[budget]
flops = 3e12
checkpoints = {fractions}

[init]
recipe = "sft"

[branches.sft]
recipe = "sft"
label = "SFT"
[branches.ppo]
recipe = "ppo"
label = "PPO"
[branches.sft-diverse]
recipe = "sft"
label = "SFT, random rules"
[branches.ppo-noisy]
recipe = "ppo"
label = "PPO, noisy steps"
"""

FEW: dict[str, Any] = {"splits": ("id", "rule_ood"), "limit": 1, "decodings": ("greedy",), "problems": 2, "seeds": (0,)}
"""Options of a run whose report has few figures, for drawing takes most of the time of these tests."""

Rates = dict[str, tuple[float, float, float]]
"""Branch -> one-attempt success at home and under the shift, perseveration; at the end of the budget."""

EFFECT: Rates = {
    "init": (0.55, 0.35, 0.25),
    "sft": (0.97, 0.12, 0.55),
    "ppo": (0.78, 0.52, 0.27),
    "sft-diverse": (0.96, 0.85, 0.0),
    "ppo-noisy": (0.45, 0.05, 0.7),
}

MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Write a synthetic run folder; see `write_run`."""

    def make(**options: Any) -> Path:
        return write_run(tmp_path_factory.mktemp("runs"), **options)

    return make


@pytest.fixture(scope="session")
def few() -> dict[str, Any]:
    return FEW


@pytest.fixture(scope="session")
def run_folder(make_run: MakeRun) -> Path:
    """The run that tests share; none may change it."""
    return make_run()


CROWD = 40
"""Further branches of a run that has more of them than a figure has room for."""


@pytest.fixture(scope="session")
def crowd_folder(make_run: MakeRun) -> Path:
    """A run of very many branches that tests share; none may change it. The more a name counts, the better it ends."""
    further = {f"more-{i}": (0.3 + i / 100, 0.2 + i / 60, 0.1) for i in range(CROWD)}
    return make_run(**FEW | {"problems": 30, "fractions": (0.5, 1.0)}, rates=EFFECT | further)


@pytest.fixture(scope="session")
def crowd(crowd_folder: Path) -> Analysis:
    """The shared run of very many branches, read."""
    return Analysis([load_run(crowd_folder)])


@pytest.fixture(scope="session")
def analysis(run_folder: Path) -> Analysis:
    """The shared run, read."""
    return Analysis([load_run(run_folder)])


@pytest.fixture(scope="session")
def hostile() -> str:
    """What every model answers in the shared report."""
    return HOSTILE


@pytest.fixture(scope="session")
def report(make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report that tests share: with a ladder, probes, a model card, and answers that attack the page."""
    model = tmp_path_factory.mktemp("model")
    (model / "README.md").write_text(CARD, encoding="utf-8")
    folder = make_run(model=str(model), answer=HOSTILE, seeds=(0, 1), problems=20, fractions=(0.5, 1.0))
    study = folder / "study.toml"
    tables = '[ladders]\nrule = ["id", "rule_ood"]\n[probes]\nsplits = ["id"]\n[budget]'
    study.write_text(study.read_text().replace("[budget]", tables).replace("model =", 'note = "A note."\nmodel ='))
    row: dict[str, Any] = {"branch": "sft", "fraction": 1.0, "split": "id", "kl_from_start": 2.5}
    row |= {"pass_at": {"1": 0.5, "2": 0.75}, "copied": 0.125, "memorised": {"reordered": 0.25}}
    for seed, shift in ((0, 0.0), (1, 1.0)):
        with (folder / "branches" / f"sft-seed{seed}" / "probes.jsonl").open("w") as lines:
            for index, retained in enumerate((1.0, None, 0.75)):
                changed = {"seed": seed, "index": index, "retained": retained, "kl_to_start": 1.25 + shift}
                lines.write(json.dumps({**row, **changed}) + "\n")
    return build_report(folder)


def write_run(
    parent: Path,
    *,
    rates: Rates = EFFECT,
    seeds: tuple[int, ...] = (0, 1, 2),
    problems: int = 60,
    model: str = "no-such-backbone",
    finished: bool = True,
    fractions: tuple[float, ...] = FRACTIONS,
    decodings: tuple[str, ...] = ("sampled", "greedy"),
    answer: str = '{"cards": ["K"]}',
    modality: str = "text",
    splits: tuple[str, ...] = ("train", "id", "rule_ood"),
    limit: int = 5,
) -> Path:
    folder = parent / "synthetic-20200101-000000"
    rng = np.random.default_rng(7)
    hardness = {split: rng.normal(0, 1, problems) for split in splits}
    lines = []
    for branch in rates:
        for seed in seeds:
            if not finished and branch == "ppo-noisy":
                continue
            place = folder / "branches" / f"{branch}-seed{seed}"
            place.mkdir(parents=True)
            rows = [
                row
                for row in _rows(rng, rates, branch, seed, hardness, fractions, limit)
                if row["decoding"] in decodings
            ]
            if modality == "vision":
                rows = [{**row, "recognised": float(row["success_1"] or row["problem"] % 3 > 0)} for row in rows]
            _write(place / "results.jsonl", rows)
            kept = [_episode(row, answer, modality) for row in rows if row["problem"] < 12]
            _write(place / "evaluation_episodes.jsonl", kept)
            lines += rows
    study = STUDY.format(
        model=model,
        seeds=list(seeds),
        problems=problems,
        fractions=list(fractions),
        decodings=list(decodings),
        decoding=decodings[0],
        splits=list(splits),
        limit=limit,
        modality=modality,
    )
    for branch in [name for name in rates if name not in EFFECT]:
        study += f'[branches.{branch}]\nrecipe = "sft"\nlabel = "Branch {branch}"\n'
    (folder / "study.toml").write_text(study, encoding="utf-8")
    if finished:
        _write(folder / "results.jsonl", lines)
        environment = {"versions": {"shiftgym": "0.1.0", "torch": "none: synthetic"}, "machine": {"cores": 2}}
        (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    return folder


def _rows(
    rng: np.random.Generator,
    rates: Rates,
    branch: str,
    seed: int,
    hardness: dict[str, Any],
    fractions: tuple[float, ...],
    limit: int,
) -> Iterator[dict[str, Any]]:
    drift = rng.normal(0, 0.15)
    for index, fraction in enumerate([0.0] if branch == "init" else fractions):
        way = fraction**0.5
        home, away, stuck = (
            start + (end - start) * way for start, end in zip(rates["init"], rates[branch], strict=True)
        )
        for split, hard in hardness.items():
            shifted = split == "rule_ood"
            for decoding in ("sampled", "greedy"):
                logit = _logit(away if shifted else home) + (0.4 if decoding == "greedy" else 0) + drift - hard
                solved_first = rng.random(len(hard)) < 1 / (1 + np.exp(-logit))
                for problem, first in enumerate(solved_first):
                    outcomes = ["correct"] if first else _attempts(rng, float(logit[problem]), limit)
                    yield {
                        "branch": branch,
                        "seed": seed,
                        "step": 8 if branch == "init" else 20 * (index + 1),
                        "fraction": fraction,
                        "flops": 3e12 * fraction,
                        "flops_paper": 2.4e12 * fraction,
                        "split": split,
                        "decoding": decoding,
                        "problem": problem,
                        "success_1": float(first),
                        "success": float(outcomes[-1] == "correct"),
                        "whole": float(outcomes[-1] == "correct"),
                        "per_step": (outcomes[-1] == "correct") / len(outcomes),
                        "attempts": float(len(outcomes)),
                        "reward": 5.0 if first else -1.0,
                        "valid": float(outcomes[0] != "illegal"),
                        "translated": float(rng.random() > stuck) if shifted else 1.0,
                        "perseverated": float(rng.random() < stuck) if shifted else None,
                        "recognised": None,
                        "tokens": float(rng.integers(40, 60)),
                        "decisions": [
                            {
                                "outcomes": outcomes,
                                "right": len(outcomes) if outcomes[-1] == "correct" else 0,
                                "style": "none" if outcomes[0] == "illegal" else "worked",
                                "kinds": [],
                            }
                        ],
                    }


def _attempts(rng: np.random.Generator, logit: float, limit: int) -> list[str]:
    outcomes = []
    for _ in range(limit):
        outcomes.append(str(rng.choice(["wrong_value", "wrong_numbers", "illegal"], p=[0.6, 0.3, 0.1])))
        if len(outcomes) < limit and rng.random() < 0.4 / (1 + math.exp(-logit)):
            return [*outcomes, "correct"]
    return outcomes


def _episode(row: dict[str, Any], answer: str, modality: str) -> dict[str, Any]:
    origin = {name: row[name] for name in ("branch", "seed", "step", "fraction", "split", "decoding")}
    attempts = [
        {"answer": answer, "outcome": outcome, "reward": 5.0 if outcome == "correct" else -1.0,
         "feedback": f"feedback on {outcome}", "correct": outcome == "correct", "tokens": 50, "stop": "end"}
        for outcome in row["decisions"][0]["outcomes"]
    ]  # fmt: skip
    prompt: list[Any] = [{"role": "user", "content": f"Synthetic problem {row['problem']} of {row['split']}."}]
    if modality == "vision":
        prompt[0]["pictures"] = [{"cards": "as in the problem"}]
    return {
        **origin,
        "schema": 1,
        "problem": {"split": row["split"], "index": row["problem"]},
        "success": row["success"],
        "reward": row["reward"],
        "decisions": [{"prompt": prompt, "attempts": attempts}],
    }


def _logit(rate: float) -> float:
    rate = min(max(rate, 0.01), 0.99)
    return math.log(rate / (1 - rate))


def _write(path: Path, values: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
