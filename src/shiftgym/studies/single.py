"""Outside a study: one recipe on one model, and one policy on some splits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Decoding, evaluate
from shiftgym.files import write_lines, write_text
from shiftgym.layout import BranchFolder
from shiftgym.plugins import import_class
from shiftgym.policies.base import Policy
from shiftgym.policies.openai import OpenAIPolicy
from shiftgym.reading import nearest
from shiftgym.studies.config import Study, Training, read
from shiftgym.tasks.check import Finding, check_task
from shiftgym.tasks.registry import SHIPPED
from shiftgym.training.registry import is_recipe, load_recipe, shipped_recipes

if TYPE_CHECKING:
    from shiftgym.models.resolve import PolicyLike

OF_FIRST_ANSWERS = ("valid", "perseverated", "tokens")
"""Measures that `evaluate_model` prints beside success."""


def train_model(
    model: str, recipe: str, *, task: str, steps: int, seed: int, overrides: Sequence[str], out: Path
) -> None:
    """Train `model` into the folder `out`, or resume what is there if it was begun in the same way.

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

    policy = load_policy(training.model, template_variables=training.template_variables)
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


def evaluate_model(
    policy: str, study: Study, *, splits: Sequence[str] | None, served: str | None, seed: int, out: Path | None
) -> None:
    """Print the success of `policy` on splits of `study`, and write its rows into the folder `out`, if any.

    Args:
        policy: `expert`, the URL of an OpenAI-compatible endpoint, or what `load_policy` takes.
        splits: some of the study's splits; None: those that the study evaluates.
        served: the model's name at an endpoint.
    """
    import pyarrow as pa

    from shiftgym.evaluation.measures import MEASURES
    from shiftgym.evaluation.rows import SCHEMA
    from shiftgym.evaluation.summaries import summarise
    from shiftgym.reports.words import told

    task = study.build_task()
    settings = study.evaluation
    for split in splits or ():
        if split not in study.splits:
            raise ConfigError(f"{study.name}: there is no split {split!r}{nearest(split, study.splits)}")
    found = evaluate(
        _policy(policy, served, study),
        task,
        **(settings.model_dump() | {"splits": splits or settings.splits}),
        seed=seed,
        origin={"branch": policy, "seed": seed, "step": 0, "fraction": 0.0, "flops": 0.0, "flops_paper": 0.0},
    )
    rated, shown = ([MEASURES[name] for name in names] for names in (("success_1", "success"), OF_FIRST_ANSWERS))
    table = Table("split", "decoding", *[measure.called(task.limit) for measure in (*rated, *shown)], box=None)
    for of in summarise(pa.Table.from_pylist(found.rows, schema=SCHEMA)):
        rates = [found.estimate(measure.name, split=of.split, decoding=of.decoding) for measure in rated]
        table.add_row(
            of.split,
            of.decoding,
            *[f"{100 * rate.value:.0f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]" for rate in rates],
            *[told(measure, of.means[measure.name]) for measure in shown],
        )
    console = Console()
    console.print(table)
    console.print(f"Percent of {settings.problems} problems a split, with 95 % intervals.", highlight=False)
    if out is not None:
        folder = BranchFolder(out)
        write_lines(folder.results, found.rows)
        write_lines(folder.evaluation_episodes, found.episodes)
        console.print(f"Rows: {folder.results}", highlight=False, soft_wrap=True)


def _policy(name: str, served: str | None, study: Study) -> "PolicyLike | Callable[[Decoding], Policy]":
    """What `evaluate` takes: the endpoint, the expert, or the model as the study would load it."""
    settings, variables = study.evaluation, study.template_variables
    if name == "expert":
        return name
    if not name.startswith(("http://", "https://")):
        from shiftgym.models.load import load_policy

        return load_policy(name, template_variables=variables)
    if variables:
        raise ConfigError(f"template_variables: {name} fills its own chat template; give them to the server instead")
    if served is None:
        raise ConfigError(f"{name}: an endpoint needs --served, the name of the model that it is to answer with")
    return lambda decoding: OpenAIPolicy(
        served,
        base_url=name,
        temperature=settings.temperature if decoding == "sampled" else 0.0,
        max_tokens=settings.max_new_tokens,
    )


def _step(metrics: dict[str, Any]) -> str:
    shown = ("loss", "grad_norm", "kl", "reward", "success")
    return f"step {metrics['step']}  " + "  ".join(f"{name} {metrics[name]:.3g}" for name in shown if name in metrics)
