"""The command line: the commands and their options. What a command does is implemented in the other packages.

Nothing heavy is imported before a command is chosen, so that `shiftgym --help` is fast.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number
from cyclopts.validators import Path as PathValidator

import shiftgym
from shiftgym.cli.study import Count, Overrides, study
from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
"""Only there in a clone of the repository."""

MISUSE = 2
INTERRUPTED = 130

StudyName = Annotated[
    str, Parameter(help="The study whose task and splits are used; for navigation, give --study navigation-text.")
]
StudyOfTask = Annotated[
    str | None,
    Parameter(help="The study whose splits are used. By default TASK-text; a task of your own has default splits."),
]
TaskToPlay = Annotated[
    str | None,
    Parameter(
        help="`points`, `navigation`, or a task of your own as package.module:Class; by default the study's, or points."
    ),
]
SplitToPlay = Annotated[str | None, Parameter(help="Which of its splits; by default `id`, or the first one.")]
SplitName = Annotated[str, Parameter(help="Which of its splits.")]
Index = Annotated[int, Parameter(validator=Number(gte=0))]
ProblemIndex = Annotated[Index, Parameter(help="Which problem of the split.")]
EndpointOptions = Annotated[EndpointSettings, Parameter(name="*")]
"""The options --timeout, --tries and --parallel."""

Word = Literal["generalised", "memorised", "gained at home only", "lost", "undecided"]
"""The verdicts of `reports/judgement.py`, which is not imported for the sake of --help."""

app = App(
    name="shiftgym",
    help="Does my training recipe memorise, or does it generalise? Start with: shiftgym study run points-text-quick",
    version=lambda: shiftgym.__version__,
    default_parameter=Parameter(negative=()),
    help_format="plaintext",
)
app.command(study)


@app.command
def report(folder: Path, others: list[Path] | None = None, /) -> None:
    """Build the report and figures of a run again. The run need not be finished.

    Example: shiftgym report runs/points-text-20260101-120000

    Parameters
    ----------
    folder
        The run folder; report.html and figures/ are written into it.
    others
        Runs of the same study on other backbones, shown beside it and pooled with it.
    """
    from shiftgym.reports.page import build_report

    print(build_report(folder, others or ()))


@app.command
def train(
    model: str,
    recipe: str,
    /,
    *,
    out: Path,
    steps: Count = 100,
    seed: Index = 0,
    task: str = "points",
    overrides: Annotated[list[str] | None, Parameter(name="--set")] = None,
) -> None:
    """Train one model with one recipe, outside any study. Run the same command again to resume.

    Example: shiftgym train points-0 ppo --out runs/mine --set splits.train.rule=shuffled --set recipe.kl=0.02

    Parameters
    ----------
    model
        A shipped backbone, a model directory, or a hub id.
    recipe
        A shipped recipe (sft, ppo, grpo ...; see docs/recipes.md), or one of your own as package.module:Class.
    out
        Folder for checkpoints and metrics.
    steps
        Iterations in reinforcement and self-distillation, optimizer steps in every other recipe.
    seed
        Seed of this training.
    task
        `points`, `navigation`, or a task of your own as package.module:Class.
    overrides
        Change a setting: task.KEY, splits.train.KEY, recipe.KEY or data_seed, each =value. May be given many times.
    """
    from shiftgym.studies.single import train_model

    train_model(model, recipe, task=task, steps=steps, seed=seed, overrides=overrides or (), out=out)


@app.command(name="eval")
def evaluate(
    policy: str,
    /,
    *,
    study: str = "points-text",
    split: list[str] | None = None,
    problems: Count | None = None,
    overrides: Overrides = None,
    served: str | None = None,
    endpoint: EndpointOptions = DEFAULT_SETTINGS,
    seed: Index = 0,
    out: Path | None = None,
) -> None:
    """Measure a model, an endpoint or the expert on the splits of a study.

    Example: shiftgym eval points-0 --split id --split rule_ood --problems 200

    Parameters
    ----------
    policy
        A shipped backbone, a model directory, a hub id, `expert`, or an OpenAI-compatible endpoint as URL#MODEL, such
        as http://127.0.0.1:8000/v1#qwen (its key is read from OPENAI_API_KEY).
    study
        The study whose task, splits and [evaluation] table are used. It must fit the model: for a model of
        navigation, such as navigation-0, give --study navigation-text.
    split
        Only this split. May be given many times.
    problems
        Problems a split.
    served
        Name of the model at an endpoint that is given as a URL without #MODEL.
    seed
        Seed of the sampled answers.
    out
        Folder for results.jsonl and evaluation_episodes.jsonl.
    """
    from shiftgym.studies.config import load_study
    from shiftgym.studies.single import evaluate_model

    changes = [f"evaluation.problems={problems}"] if problems is not None else []
    chosen = load_study(study, [*(overrides or ()), *changes])
    evaluate_model(policy, chosen, splits=split, served=served, endpoint=endpoint, seed=seed, out=out)


@app.command
def compare(
    base: str,
    tuned: list[str],
    /,
    *,
    study: str = "points-text",
    label: list[str] | None = None,
    problems: Count | None = None,
    overrides: Overrides = None,
    probes: bool = False,
    fail_on: list[Word] | None = None,
    dry_run: bool = False,
    out: Path | None = None,
    served: str | None = None,
    endpoint: EndpointOptions = DEFAULT_SETTINGS,
    chat_template: Annotated[Path | None, Parameter(validator=PathValidator(exists=True, dir_okay=False))] = None,
    flops_per_step: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    seed: Index = 0,
    workers: Count | None = None,
    runs: Path = Path("runs"),
) -> int:
    """Judge checkpoints that anyone trained: did they memorise or generalise, compared with the model before training?

    Example: shiftgym compare Qwen/Qwen3-0.6B out/sft out/grpo/checkpoint-200 --label base --label SFT --label GRPO

    Parameters
    ----------
    base
        The model before training: a shipped backbone, a model directory, a hub id owner/name@revision, a directory with
        a LoRA adapter, or an endpoint as http://127.0.0.1:8000/v1#MODEL (its key is read from OPENAI_API_KEY).
    tuned
        One or more models after training, given in the same ways, or folders of checkpoints.
    study
        The study whose splits, [evaluation] table and primary measure are used. For navigation, give
        navigation-text.
    label
        What a model is called. May be given many times, BASE first.
    problems
        Problems a split.
    probes
        Also measure memorisation and forgetting: KL to BASE, pass@k, changed problems, what was retained.
    fail_on
        Exit with code 1 if a candidate gets this verdict on any shifted split. May be given many times.
    dry_run
        Only print how many requests and tokens it will take.
    out
        The run folder. Give that of an earlier comparison to resume it or to add a model to it: what was answered is
        not asked again. By default a new folder under --runs.
    served
        The model of an endpoint that is given without #MODEL.
    chat_template
        A file with a Jinja template that replaces the chat template of every local model.
    flops_per_step
        FLOPs of a training step, for folders of checkpoints that do not say.
    seed
        Seed of the sampled answers.
    workers
        Models that answer at the same time, one thread each. By default as many as there are cores.
    runs
        The folder in which run folders are made.
    """
    from shiftgym.candidates.command import compare_models
    from shiftgym.candidates.run import prepare

    changes = [f"evaluation.problems={problems}"] if problems is not None else []
    judging = prepare(
        [base, *tuned],
        study=study,
        overrides=[*(overrides or ()), *changes],
        labels=label or (),
        probes=probes,
        seed=seed,
        chat_template=chat_template.read_text(encoding="utf-8") if chat_template else None,
        served=served,
        flops_per_step=flops_per_step,
        endpoint=endpoint,
    )
    return compare_models(judging, out=out, runs=runs, workers=workers, fail_on=fail_on or (), dry_run=dry_run)


@app.command
def backbone(
    name: Literal["points", "navigation", "points-vision", "navigation-vision"],
    /,
    *,
    seed: Index = 0,
    out: Path | None = None,
) -> None:
    """Train a backbone from scratch: tokenizer, corpus, weights, model card. Run the same command again to resume.

    Example: shiftgym backbone points --seed 7

    Parameters
    ----------
    name
        The task whose texts it is trained on; with -vision, their pictures too.
    seed
        Seed of corpus and weights.
    out
        Folder of the model; by default NAME-SEED among the weights of this package.
    """
    from shiftgym.backbones.build import build

    print(build(name, seed, out, print))


@app.command
def data(
    kind: Literal["sft", "problems"],
    out: Path,
    /,
    *,
    study: StudyName = "points-text",
    split: SplitName = "train",
    count: Count = 1000,
    overrides: Overrides = None,
) -> None:
    """Write expert conversations (sft) or a set of problems to a .jsonl or .parquet file that `datasets` loads.

    Example: shiftgym data sft train.parquet --split train --count 5000

    Parameters
    ----------
    kind
        `sft`: prompts with the expert's answers. `problems`: prompts without.
    out
        The file to write, which ends in .jsonl or .parquet.
    count
        Number of problems, from the first one on.
    """
    from shiftgym.studies.config import load_study
    from shiftgym.tasks.export import expert_rows, problem_rows, write_rows
    from shiftgym.tasks.registry import require_split

    task = load_study(study, overrides or ()).build_task()
    require_split(task, split)
    rows = {"sft": expert_rows, "problems": problem_rows}[kind]
    print(f"{write_rows(rows(task, split, range(count)), out)} rows in {out}")


@app.command
def verify(file: Annotated[str, Parameter(allow_leading_hyphen=True)], /) -> None:
    """Judge answers: JSON lines in, JSON lines out, in the same order; a bad line gets an error, and the rest is
    judged.

    In: {"task": "points", "modality": "text", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8", "8"],
    "answer": "..."}. Out: {"outcome": ..., "reward": ..., "feedback": ...}. Without an answer: whether there is one.
    Or in: {"task": "navigation", "rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 10,
    "landmark": "Hotel Aurora is on your right", "at_intersection": true, "attempt": 1, "answer": "..."}.
    An "id" passes through to the result.

    Example: shiftgym verify answers.jsonl > verdicts.jsonl

    Parameters
    ----------
    file
        A file of JSON lines, or - for the standard input.
    """
    from shiftgym.tasks.verify import verify_file

    verify_file(file, sys.stdout)


@app.command
def check(name: str = "points", /) -> int:
    """Prove a task or a recipe sound.

    Of a task: same seed same problem, the expert is right, garbage never raises, splits are disjoint. Of a recipe: same
    seed same bytes, killed and resumed the same, gradients on answers only, every pass on the ledger.

    Example: shiftgym check my_package.my_task:MyTask

    Parameters
    ----------
    name
        A shipped task or recipe, or one of your own as package.module:Class.
    """
    from shiftgym.studies.single import check_named

    findings = check_named(name)
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check}{': ' if finding.detail else ''}{finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1


@app.command
def play(
    task: TaskToPlay = None,
    /,
    *,
    study: StudyOfTask = None,
    split: SplitToPlay = None,
    index: ProblemIndex = 0,
    overrides: Overrides = None,
) -> None:
    """Play a problem in the terminal against the verifier.

    Example: shiftgym play navigation --split rule_ood --index 3
    """
    from rich.console import Console

    from shiftgym.cli.terminal import play_in_terminal, task_to_play

    play_in_terminal(task_to_play(task, study, overrides or ()), split, index, Console())


@app.command(name="show")
def show_one(
    task: TaskToPlay = None,
    /,
    *,
    study: StudyOfTask = None,
    split: SplitToPlay = None,
    index: ProblemIndex = 0,
    overrides: Overrides = None,
) -> None:
    """Print a problem as a policy sees it, with the expert's answers and their verdicts; in navigation also the map.

    Example: shiftgym show navigation --split rule_ood --index 3
    """
    from rich.console import Console

    from shiftgym.cli.terminal import show_problem, task_to_play

    show_problem(task_to_play(task, study, overrides or ()), split, index, Console())


@app.command
def bench() -> int:
    """Run the benchmarks of the repository and print their ratios.

    Example: shiftgym bench
    """
    # The comparison with TRL needs an environment of its own; `make bench` runs it there.
    scripts = [path for path in sorted(BENCHMARKS.glob("*.py")) if not path.name.startswith("trl_")]
    if not scripts:
        raise ConfigError("bench: the benchmarks come with a clone of the repository, not with the installed package")
    return max(subprocess.call([sys.executable, script]) for script in scripts)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: exit code 2 and one line on misuse, 1 if something failed. Only a bug shows a traceback."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except (ShiftgymError, CycloptsError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = MISUSE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (such as `head`) closed the pipe. Without this, Python would complain again when it flushes at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
