"""Outside a study: one recipe on one model, and one policy on some splits."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.evaluation.evaluate import Evaluation
from shiftgym.evaluation.progress import AnsweredDisplay
from shiftgym.evaluation.written import claim, evaluate_into
from shiftgym.files import make_folder, read_lines, write_text
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.plugins import import_class
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings, endpoint_address, is_endpoint
from shiftgym.reading import nearest, override, read_toml
from shiftgym.studies.companions import Companions
from shiftgym.studies.config import Study, Training, read, what_is_computed
from shiftgym.studies.run_folder import only_one
from shiftgym.studies.tables import EvaluationTable
from shiftgym.tasks.base import Task
from shiftgym.tasks.check import Finding, check_task
from shiftgym.tasks.registry import SHIPPED, changed_defaults
from shiftgym.training.idle import ALIKE, idleness
from shiftgym.training.registry import is_recipe, load_recipe, shipped_recipes

if TYPE_CHECKING:
    from shiftgym.models.resolve import PolicyLike

BESIDE = ("valid", "perseverated", "tokens")
"""Measures that `evaluate_model` prints beside success."""


def train_model(
    model: str,
    recipe: str,
    *,
    task: str,
    steps: int,
    seed: int,
    overrides: Sequence[str],
    out: Path,
) -> None:
    """Train `model` into the folder `out`, or resume what is there if it was begun in the same way. Processes that
    torchrun started train it together.

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
    record = BranchFolder(out).training
    if record.is_file():
        begun = read(Training, read_toml(record), (), source=str(record))
        if what_is_computed(begun) != what_is_computed(training):
            raise ConfigError(f"{out}: holds another training (see {record}); give a new folder")

    settings = training.recipe.settings
    settings.check_installed()
    from shiftgym.models.loading.devices import torch_device
    from shiftgym.models.loading.load import load_policy
    from shiftgym.models.parallel import Ranks
    from shiftgym.training.trainer import loading_options, prepare_model, train

    ranks = Ranks.joined(torch_device(training.placement.device))
    policy = load_policy(
        training.model,
        **loading_options(training.placement, ranks),
        **training.chat_options,
        merged=settings.lora is None,
    )
    # Before anything is written, so that a setting that this model does not take leaves no folder behind.
    prepare_model(policy[0], settings, training.seed, ranks)
    console = Console(quiet=not ranks.first)
    with _watched(training, out, console) if ranks.first else nullcontext() as companions:

        def on_step(metrics: dict[str, Any]) -> None:
            console.print(_step(metrics), highlight=False, soft_wrap=True)
            if companions is not None:
                companions.look()

        result = train(
            policy,
            load_recipe(training.recipe.recipe),
            training.build_task(),
            settings=settings,
            seed=training.seed,
            folder=out,
            steps=training.steps,
            on_step=on_step,
            placement=training.placement,
            ranks=ranks,
        )
        ranks.leave()
    if (idle := idleness(read_lines(BranchFolder(out).metrics))) is not None:
        console.print(f"{idle}.", highlight=False, soft_wrap=True)
    console.print(f"Model: {result.checkpoints[-1].path}", highlight=False, soft_wrap=True)


@contextmanager
def _watched(training: Training, out: Path, console: Console) -> Iterator[Companions]:
    """Hold the folder of a training, as its only process that writes there, with its trackers beside it."""
    make_folder(out)
    beside = training.track.companions(out) if training.track else []
    with Companions(beside, out, console) as companions, only_one(RunFolder(out)):
        write_text(BranchFolder(out).training, training.to_toml())
        companions.start()
        yield companions


def check_named(name: str, overrides: Sequence[str] = ()) -> list[Finding]:
    """Try out the task or the recipe of that name.

    Args:
        overrides: of a task `task.KEY=value` or `splits.NAME.KEY=value` each, of a recipe `recipe.KEY=value`.

    Raises:
        ConfigError: there is neither, or it has no such setting.
    """
    known = [*SHIPPED, *shipped_recipes()]
    if ":" not in name and name not in known:
        raise ConfigError(
            f"unknown task or recipe {name!r}{nearest(name, known)}; your own is named 'package.module:Class'"
        )
    if name in shipped_recipes() or (name not in known and is_recipe(import_class(name, "task or recipe"))):
        from shiftgym.training.check import check_recipe

        values: dict[str, Any] = {"recipe": {}}
        for assignment in overrides:
            if override(values, assignment).split(".")[0] != "recipe":
                raise ConfigError(f"--set {assignment}: {name} is a recipe; set recipe.KEY=value")
        return check_recipe(name, settings=values["recipe"])
    options, splits = changed_defaults(name, overrides)
    return check_task(name, options=options, splits=splits)


def evaluate_model(
    policy: str,
    study: Study,
    *,
    splits: Sequence[str] | None,
    served: str | None,
    endpoint: EndpointSettings = DEFAULT_SETTINGS,
    seed: int,
    out: Path | None,
) -> None:
    """Print the success of `policy` on splits of `study`. Its rows are written into the folder `out`, if any, as they
    come, and what is there already is not asked again.

    Args:
        policy: `expert`, an OpenAI-compatible endpoint (`URL#MODEL`, or its URL), or what `load_policy` takes.
        splits: some of the study's splits; None: those that the study evaluates.
        served: the model's name at an endpoint, if `policy` does not have it.
        endpoint: how an endpoint is asked.
    """
    from shiftgym.models.resolve import load_named

    task, settings = study.build_task(), study.evaluation
    for split in splits or ():
        if split not in study.splits:
            raise ConfigError(f"{study.name}: there is no split {split!r}{nearest(split, study.splits)}")
    asked = settings.model_copy(update={"splits": tuple(splits or settings.splits)})
    name = "#".join(endpoint_address(policy, served)) if is_endpoint(policy) else policy
    given = load_named(name, placement=study.placement, **study.chat_options)
    refused = None
    with tempfile.TemporaryDirectory(prefix="shiftgym-") as scratch:
        folder = BranchFolder(out or Path(scratch))
        claim(folder, {"source": name, "seed": seed, **study.questions()})
        try:
            _evaluate(folder, name, given, task, asked, seed=seed, endpoint=endpoint)
        except ShiftgymError as error:
            # An endpoint may refuse one decoding after it has answered under another, which was paid for.
            refused = error
        # An earlier call may have asked more.
        rows = [
            row
            for row in read_lines(folder.results)
            if row["split"] in asked.splits and row["decoding"] in asked.decodings and row["problem"] < asked.problems
        ]
    console = Console()
    if rows:
        _print_results(Evaluation(rows), task, asked, console)
    if refused is not None:
        raise refused
    if out is not None:
        console.print(f"Rows: {BranchFolder(out).results}", highlight=False, soft_wrap=True)


def _evaluate(
    folder: BranchFolder,
    name: str,
    given: "PolicyLike",
    task: Task,
    asked: EvaluationTable,
    *,
    seed: int,
    endpoint: EndpointSettings,
) -> None:
    """Let `given` answer what it has not answered in `folder` yet, with progress on stderr."""
    total = len(asked.splits) * len(asked.decodings) * asked.problems
    with AnsweredDisplay({name: folder.results}, total, Console(stderr=True)) as shown:
        evaluate_into(
            folder,
            given,
            task,
            **asked.model_dump(),
            seed=seed,
            origin={"branch": name, "seed": seed, "step": 0, "fraction": 0.0, "flops": 0.0, "flops_paper": 0.0},
            endpoint=endpoint,
            on_batch=lambda: shown.show({name: "running"}),
        )


def _print_results(found: Evaluation, task: Task, asked: EvaluationTable, console: Console) -> None:
    """Print a row for each split and decoding, and what to know before the numbers are read."""
    import pyarrow as pa

    from shiftgym.evaluation.measures import MEASURES
    from shiftgym.evaluation.rows import SCHEMA
    from shiftgym.evaluation.summaries import summarise
    from shiftgym.reports.cautions import ENDS, never_right, unanswered
    from shiftgym.reports.words import told

    summaries = summarise(pa.Table.from_pylist(found.rows, schema=SCHEMA))
    ends = [name for name in ENDS if any(of.means[name] for of in summaries)]
    rated, shown = ([MEASURES[name] for name in names] for names in (("success_1", "success"), (*BESIDE, *ends)))
    heads = ["split", "decoding", *[measure.called(task.limit) for measure in (*rated, *shown)]]
    if ends:
        # Further columns fit into 80 characters only if all are narrow.
        heads = [head.replace(" ", "\n") for head in heads]
    table = Table(*heads, box=None, collapse_padding=bool(ends))
    for of in summaries:
        rates = [found.estimate(measure.name, split=of.split, decoding=of.decoding) for measure in rated]
        table.add_row(
            of.split,
            of.decoding,
            *[f"{100 * rate.value:.0f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]" for rate in rates],
            *[told(measure, of.means[measure.name]) for measure in shown],
        )
    console.print(table)
    console.print(f"Percent of {asked.problems} problems a split, with 95 % intervals.", highlight=False)
    lines = [line] if (line := never_right(summaries)) else []
    places = {f"{of.split}, {of.decoding}": [of] for of in summaries}
    lines += unanswered(places, asked.max_new_tokens, least=0)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _step(metrics: dict[str, Any]) -> str:
    shown = ("loss", "grad_norm", "kl", "reward", ALIKE, "success")
    return f"step {metrics['step']}  " + "  ".join(f"{name} {metrics[name]:.3g}" for name in shown if name in metrics)
