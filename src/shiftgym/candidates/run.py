"""Carrying out a comparison: every candidate answers in a process of its own, then all of them are judged."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from shiftgym.candidates.answer import answer, answered
from shiftgym.candidates.answering import Answering
from shiftgym.candidates.find import Candidate, find_candidates
from shiftgym.candidates.judging import Judging, judged_study, with_recorded
from shiftgym.candidates.verdicts import finish
from shiftgym.engines.base import Call, Engine, Job, State, gpu_share
from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.evaluation.progress import AnsweredDisplay
from shiftgym.files import make_folder, write_text
from shiftgym.following.logs import last_words
from shiftgym.layout import RunFolder
from shiftgym.models.loading.template_file import template_text
from shiftgym.models.resolve import check_named
from shiftgym.placement import DEFAULT_PLACEMENT, Placement
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings, is_endpoint
from shiftgym.studies.config import load_study
from shiftgym.studies.machines import describe
from shiftgym.studies.own_process import engine
from shiftgym.studies.run import environment, placed
from shiftgym.studies.run_folder import only_one
from shiftgym.studies.stands import Stands

if TYPE_CHECKING:
    from shiftgym.models.resolve import PolicyLike


def prepare(
    given: Sequence["PolicyLike"],
    *,
    study: str | Path,
    overrides: Sequence[str] = (),
    labels: Sequence[str] = (),
    probes: bool = False,
    seed: int = 0,
    chat_template: str | None = None,
    served: str | None = None,
    flops_per_step: float | None = None,
    endpoint: EndpointSettings = DEFAULT_SETTINGS,
    placement: Placement = DEFAULT_PLACEMENT,
) -> Judging:
    """What is to be asked of whom; the arguments are those of `compare`.

    Raises:
        ConfigError: something given is no model, the study differs from training in nothing, or this machine has no
            such device.
    """
    chosen = judged_study(load_study(study, [*overrides, *placement.overrides]), probes)
    if chat_template is not None:
        chosen = chosen.model_copy(update={"chat_template": template_text(chat_template)})
    chosen.placement.gpus()
    candidates = find_candidates(given, labels, served=served, flops_per_step=flops_per_step)
    return Judging(chosen, tuple(candidates), seed, endpoint)


def carry_out(judging: Judging, folder: Path, console: Console, *, workers: int | None = None) -> dict[str, str]:
    """Let every candidate answer what it has not answered in `folder` yet, and write the verdicts there.

    Returns:
        What could not answer, with the reason.

    Raises:
        ConfigError: `folder` holds something else, is being worked on, one of the models is not to be had, or BASE
            could not answer.
    """
    run = RunFolder(folder)
    make_folder(folder)
    loads = any(_loads(one) for one in judging.candidates)
    where = engine(workers, judging.study.placement if loads else Placement(device="cpu"))
    with only_one(run):
        given = {each.source for one in judging.candidates for each in one.checkpoints if one.policy is None}
        judging = with_recorded(judging, run)
        todo = [
            one
            for candidate in judging.candidates
            for one in (Answering(candidate, checkpoint) for checkpoint in candidate.checkpoints)
            if _unsure(judging, candidate) or not answered(judging, candidate, one.checkpoint, folder)
        ]
        # What an earlier call was given may be gone, which costs only its own answers.
        for source in sorted(given & {one.checkpoint.source for one in todo}):
            check_named(source)
        write_text(run.study, judging.to_toml())
        write_text(run.environment, json.dumps(environment(where, judging.study.placement, [describe()]), indent=1))
        for one in todo:
            one.folder(folder).done.unlink(missing_ok=True)
        failed = _ask(judging, todo, folder, where, console)
        if not answered(judging, judging.base, judging.base.checkpoints[0], folder):
            raise ConfigError(f"compare: BASE could not answer: {failed[judging.base.label]}")
        finish(judging, folder, failed)
    return failed


def _ask(judging: Judging, todo: Sequence[Answering], folder: Path, where: Engine, console: Console) -> dict[str, str]:
    """Let everything answer that has to: what was given as an object here, the rest in processes of their own."""
    base = judging.base
    here = [one for one in todo if _unsure(judging, one.candidate)]
    away = {one.title: one for one in todo if one not in here}
    failed: dict[str, str] = {}
    # Probes compare with what BASE has answered, so its side goes first.
    if away and base.policy is None:
        failed = _run(judging, away, folder, where, console)
    for one in here:
        # Nothing can be compared with a BASE that did not answer.
        if base.label in failed:
            return failed
        if one.candidate.policy is not None:
            shutil.rmtree(one.folder(folder).path, ignore_errors=True)
        try:
            answer(judging, one.candidate, one.checkpoint, folder)
        except ShiftgymError as error:
            failed[one.title] = str(error)
    if away and base.policy is not None and base.label not in failed:
        failed |= _run(judging, away, folder, where, console)
    return failed


def _loads(candidate: Candidate) -> bool:
    """Whether a model of this machine answers, and not the expert or an endpoint."""
    source = candidate.checkpoints[0].source
    return candidate.policy is None and source != "expert" and not is_endpoint(source)


def _unsure(judging: Judging, candidate: Candidate) -> bool:
    """Whether its answers or probes follow from an object. Nothing tells whether that is the one of an earlier call."""
    return candidate.policy is not None or (judging.study.probes is not None and judging.base.policy is not None)


def _run(judging: Judging, todo: dict[str, Answering], folder: Path, where: Engine, console: Console) -> dict[str, str]:
    """Let the engine carry out what is left to do; what failed, with the last words of its log."""
    first = judging.base.label if judging.study.probes is not None and judging.base.label in todo else None
    # Objects cannot go to another process, and none of these asks one.
    portable = replace(
        judging,
        study=placed(judging.study, where),
        candidates=tuple(replace(one, policy=None) for one in judging.candidates),
    )
    jobs = [
        Job(
            title,
            partial(Call, answer, (portable, one.candidate, one.checkpoint, folder), one.folder(folder).log),
            needs=None if title == first else first,
            gpus=gpu_share(where) if _loads(one.candidate) or judging.study.probes is not None else 0.0,
        )
        for title, one in todo.items()
    ]
    of = judging.study.evaluation
    total = len(of.splits) * len(of.decodings) * of.problems
    files = {title: one.folder(folder).results for title, one in todo.items()}
    stands = Stands(RunFolder(folder))
    with AnsweredDisplay(files, total, console) as shown:

        def watch(now: dict[str, State]) -> None:
            stands.tell(now)
            shown.show(now)

        states = where.run(jobs, watch)
    stands.write()
    return {
        title: "BASE could not answer" if states[title] == "skipped" else last_words(one.folder(folder).log)
        for title, one in todo.items()
        if states[title] != "done"
    }
