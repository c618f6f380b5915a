"""Outside a study: one recipe on one model, and one policy on some splits."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Decoding, evaluate
from shiftgym.importing import import_class
from shiftgym.policies.base import Policy
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.openai import OpenAIPolicy
from shiftgym.reading import nearest
from shiftgym.studies.branch import model_policies, write_text
from shiftgym.studies.config import EvaluationTable, Study, Training, read
from shiftgym.tasks.base import Task
from shiftgym.tasks.check import Finding, check_task
from shiftgym.tasks.registry import SHIPPED
from shiftgym.training.registry import is_recipe, load_recipe, shipped_recipes


def train_model(
    model: str, recipe: str, *, task: str, steps: int, seed: int, overrides: Sequence[str], out: Path
) -> None:
    """Train `model` into the folder `out`, or go on with what stands there if it was begun in the same way.

    Raises:
        ConfigError: a setting cannot be carried out, or `out` holds another training.
    """
    values: dict[str, Any] = {
        "model": model,
        "seed": seed,
        "steps": steps,
        "task": {"name": task},
        "splits": {"train": {}},
        "recipe": {"recipe": recipe},
    }
    training = read(Training, values, overrides, source="train")
    record = out / "training.toml"
    if record.is_file() and record.read_text(encoding="utf-8") != training.to_toml():
        raise ConfigError(f"{out}: holds another training (see {record}); give a new folder")

    from shiftgym.models.load import load_policy
    from shiftgym.training.trainer import train

    policy = load_policy(training.model)
    out.mkdir(parents=True, exist_ok=True)
    write_text(record, training.to_toml())
    console = Console()
    result = train(
        policy,
        load_recipe(training.recipe.recipe),
        training.build_task(),
        settings=training.recipe.settings,
        seed=training.seed,
        folder=out,
        steps=training.steps,
        on_step=lambda metrics: console.print(_step(metrics), highlight=False, soft_wrap=True),
    )
    console.print(f"Model: {result.checkpoints[-1].path}", highlight=False, soft_wrap=True)


def check_named(name: str) -> list[Finding]:
    """Try out the task or the recipe of that name.

    Raises:
        ConfigError: there is neither.
    """
    known = [*SHIPPED, *shipped_recipes()]
    if ":" not in name and name not in known:
        raise ConfigError(
            f"unknown task or recipe {name!r}{nearest(name, known)}; your own is named 'package.module:Class'"
        )
    if name in shipped_recipes() or (name not in known and is_recipe(import_class(name, "task or recipe"))):
        from shiftgym.training.check import check_recipe

        return check_recipe(name)
    return check_task(name)


def evaluate_model(policy: str, study: Study, *, served: str | None, seed: int, out: Path | None) -> None:
    """Print how `policy` does on the splits that `study` evaluates, and write `out`/results.jsonl if asked to.

    Args:
        policy: `expert`, the URL of an OpenAI-compatible endpoint, or what `load_policy` takes.
        served: the model's name at an endpoint.
    """
    import numpy as np
    import pyarrow as pa

    from shiftgym.evaluation.metrics import SCHEMA, measure
    from shiftgym.evaluation.statistics import estimate

    task = study.build_task()
    settings = study.evaluation
    found = evaluate(
        _policies(policy, served, task, settings, seed),
        task,
        splits=settings.splits,
        problems=settings.problems,
        samples=settings.samples,
        decodings=settings.decodings,
        origin={"branch": policy, "seed": seed, "step": 0, "fraction": 0.0, "flops": 0.0, "flops_paper": 0.0},
    )
    table = Table(
        "split", "decoding", "one attempt", f"{task.limit} attempts", "valid", "trained rule", "tokens", box=None
    )
    for of in measure(pa.Table.from_pylist(found.rows, schema=SCHEMA)):
        rows = [row for row in found.rows if (row["split"], row["decoding"]) == (of.split, of.decoding)]
        rates = [estimate(np.array([[row[name] for row in rows]]), [0], seed=seed) for name in ("success_1", "success")]
        table.add_row(
            of.split,
            of.decoding,
            *[f"{100 * rate.value:.0f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]" for rate in rates],
            f"{100 * of.valid:.0f}",
            "" if of.perseverated is None else f"{100 * of.perseverated:.0f}",
            f"{of.tokens:.0f}",
        )
    console = Console()
    console.print(table)
    console.print(f"Percent of {settings.problems} problems a split, with 95 % intervals.", highlight=False)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, records in (("results", found.rows), ("evaluation_episodes", found.episodes)):
            write_text(out / f"{name}.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        console.print(f"Rows: {out / 'results.jsonl'}", highlight=False, soft_wrap=True)


def _policies(
    name: str, served: str | None, task: Task, settings: EvaluationTable, seed: int
) -> Callable[[Decoding], Policy]:
    if name == "expert":
        return lambda _: ExpertPolicy(task)
    if name.startswith(("http://", "https://")):
        if served is None:
            raise ConfigError(f"{name}: an endpoint needs --served, the name of the model that it is to answer with")
        return lambda decoding: OpenAIPolicy(
            served,
            base_url=name,
            temperature=settings.temperature if decoding == "sampled" else 0.0,
            max_tokens=settings.max_new_tokens,
        )
    from shiftgym.models.load import load_policy

    return model_policies(*load_policy(name), settings, seed)


def _step(metrics: dict[str, Any]) -> str:
    shown = ("loss", "grad_norm", "kl", "reward", "success")
    return f"step {metrics['step']}  " + "  ".join(f"{name} {metrics[name]:.3g}" for name in shown if name in metrics)
