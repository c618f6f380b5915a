"""`shiftgym eval`, `model` and `compare`: the commands about models that are there already, without logic."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from shiftgym.cli.options import Attention, ChatTemplate, Count, Device, Dtype, Index, Overrides, Trackers
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings

EndpointOptions = Annotated[EndpointSettings, Parameter(name="*")]
"""The options --timeout, --tries and --parallel."""

Word = Literal["generalised", "memorised", "gained at home only", "lost", "undecided"]
"""The verdicts of `reports/judgement.py`, which is not imported for the sake of --help."""


def evaluate(
    policy: str,
    /,
    *,
    study: str = "points-text",
    split: list[str] | None = None,
    problems: Count | None = None,
    overrides: Overrides = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    chat_template: ChatTemplate = None,
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
        A backbone (a shipped one, or smollm2), a model directory, a hub id, `expert`, or an endpoint as URL#MODEL.
    study
        The study whose task, splits and [evaluation] table are used. It must fit the model, as navigation-text does.
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
    from shiftgym.models.loading.template_file import template_overrides
    from shiftgym.placement import Placement
    from shiftgym.studies.config import load_study
    from shiftgym.studies.single import evaluate_model

    changes = [f"evaluation.problems={problems}"] if problems is not None else []
    changes += Placement.chosen(device=device, dtype=dtype, attention=attention).overrides
    changes += template_overrides(chat_template)
    chosen = load_study(study, [*(overrides or ()), *changes])
    evaluate_model(policy, chosen, splits=split, served=served, endpoint=endpoint, seed=seed, out=out)


def model(
    name: str,
    /,
    *,
    task: str | None = None,
    study: str | None = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    chat_template: ChatTemplate = None,
) -> None:
    """Say what a model is: family, size, memory, how it is read, and a conversation in tokens with what is trained.

    Example: shiftgym model points-0

    Parameters
    ----------
    name
        A backbone, a model directory, a LoRA adapter, a GGUF file, or a hub id owner/name@revision.
    task
        Task of the example conversation: points, navigation, or one of your own as package.module:Class.
    study
        A study with the task of the conversation, in place of --task. By default points-text or points-vision.
    """
    from rich.console import Console

    from shiftgym.placement import Placement
    from shiftgym.studies.model_page import print_model

    placement = Placement.chosen(device=device, dtype=dtype, attention=attention)
    template = str(chat_template) if chat_template else None
    print_model(name, Console(), task=task, study=study, placement=placement, chat_template=template)


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
    device: Device = None,
    dtype: Dtype = None,
    out: Path | None = None,
    served: str | None = None,
    endpoint: EndpointOptions = DEFAULT_SETTINGS,
    chat_template: ChatTemplate = None,
    flops_per_step: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    seed: Index = 0,
    workers: Count | None = None,
    track_to: Trackers = None,
    runs: Path = Path("runs"),
) -> int:
    """Judge checkpoints that anyone trained: did they memorise or generalise, compared with the model before training?

    Example: shiftgym compare Qwen/Qwen3-0.6B out/sft out/grpo/checkpoint-200 --label base --label SFT --label GRPO

    Parameters
    ----------
    base
        The model before training: a directory, a hub id owner/name@revision, a LoRA adapter, or an endpoint URL#MODEL.
    tuned
        One or more models after training, given in the same ways, or folders of checkpoints.
    study
        The study whose splits, [evaluation] table and primary measure are used, such as navigation-text.
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
        The run folder; by default a new one. Give an earlier one to resume it, or to add a model or problems to it.
    served
        The model of an endpoint that is given without #MODEL.
    flops_per_step
        FLOPs of a training step, for folders of checkpoints that do not say.
    seed
        Seed of the sampled answers.
    workers
        Models that answer at the same time, one thread each. By default one a GPU or core; several can share a GPU.
    runs
        The folder in which run folders are made.
    """
    from shiftgym.candidates.command import compare_models
    from shiftgym.candidates.run import prepare
    from shiftgym.placement import Placement
    from shiftgym.studies.track import track_overrides

    changes = [f"evaluation.problems={problems}"] if problems is not None else []
    changes += track_overrides(track_to)
    judging = prepare(
        [base, *tuned],
        study=study,
        overrides=[*(overrides or ()), *changes],
        placement=Placement.chosen(device=device, dtype=dtype),
        labels=label or (),
        probes=probes,
        seed=seed,
        chat_template=str(chat_template) if chat_template else None,
        served=served,
        flops_per_step=flops_per_step,
        endpoint=endpoint,
    )
    return compare_models(judging, out=out, runs=runs, workers=workers, fail_on=fail_on or (), dry_run=dry_run)
