"""One candidate at one checkpoint answers everything that is asked. This runs in a process of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftgym.candidates.find import Candidate, Checkpoint, fingerprint, gone
from shiftgym.candidates.judging import Judging
from shiftgym.evaluation.written import FINGERPRINT, check_claim, claim, evaluate_into
from shiftgym.files import read_json, write_lines, write_text
from shiftgym.layout import RunFolder
from shiftgym.models.resolve import load_named, resolve_policy
from shiftgym.tasks.base import Task

if TYPE_CHECKING:
    from shiftgym.evaluation.probes import Probe, Subject
    from shiftgym.models.resolve import PolicyLike


def answered(judging: Judging, candidate: Candidate, checkpoint: Checkpoint, run: Path) -> bool:
    """Whether it has answered everything that is asked now. A model that has answered may be removed.

    Raises:
        ConfigError: what answers or what is asked has changed since.
    """
    folder = RunFolder(run).candidate(candidate.key, checkpoint.step)
    wanted = _answering(judging, checkpoint)
    if gone(checkpoint) and folder.answering.is_file():
        wanted[FINGERPRINT] = read_json(folder.answering)[FINGERPRINT]
    claimed = check_claim(folder, wanted)
    return claimed and folder.done.is_file() and read_json(folder.done)["asked"] == judging.asked()


def answer(judging: Judging, candidate: Candidate, checkpoint: Checkpoint, run: Path) -> None:
    """Answer what is left to answer, and then take the probes, if any.

    Raises:
        ConfigError: the model cannot be loaded, or cannot answer this task.
    """
    folder = RunFolder(run).candidate(candidate.key, checkpoint.step)
    task, study = judging.study.build_task(), judging.study
    given = loaded(judging, candidate, checkpoint)
    claim(folder, _answering(judging, checkpoint))
    place = origin(judging, candidate, checkpoint)
    evaluate_into(
        folder,
        given,
        task,
        **study.evaluation.model_dump(),
        seed=judging.seed,
        origin=place,
        endpoint=judging.endpoint,
    )
    ended: dict[str, Any] = {"asked": judging.asked()}
    if study.probes is not None:
        probe = _probe(judging, candidate, task, run)
        ended["solved"] = probe.solved
        write_lines(folder.probes, [{**place, **row} for row in probe.measure(_subject(judging, given, task))])
    ended["chat_template"] = given[1].chat_template if isinstance(given, tuple) else None
    write_text(folder.done, json.dumps(ended))


def _answering(judging: Judging, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the answers of a checkpoint follow from."""
    return {
        "source": checkpoint.source,
        FINGERPRINT: fingerprint(checkpoint),
        "seed": judging.seed,
        "chat_template": judging.study.chat_template,
        **judging.study.questions(),
    }


def loaded(judging: Judging, candidate: Candidate, checkpoint: Checkpoint) -> "PolicyLike":
    """What answers: a model with its chat format, or the endpoint, policy or `expert` as it was given."""
    if candidate.policy is not None:
        return candidate.policy
    return load_named(
        checkpoint.source,
        placement=judging.study.placement,
        **judging.study.chat_options,
    )


def origin(judging: Judging, candidate: Candidate, checkpoint: Checkpoint) -> dict[str, Any]:
    """The first columns of every row."""
    last = candidate.checkpoints[-1].step
    return {
        "branch": candidate.key,
        "seed": judging.seed,
        "step": checkpoint.step,
        "fraction": checkpoint.step / last if last else 1.0,
        "flops": checkpoint.flops or 0.0,
        "flops_paper": 0.0,
    }


def _probe(judging: Judging, candidate: Candidate, task: Task, run: Path) -> "Probe":
    """What compares with BASE, which has answered before."""
    from shiftgym.evaluation.probes import Probe

    of, base = judging.study.probes, judging.base
    assert of is not None
    known = RunFolder(run).candidate(base.key, base.checkpoints[0].step).done
    return Probe(
        _subject(judging, loaded(judging, base, base.checkpoints[0]), task),
        task,
        splits=of.splits,
        problems=range(of.problems),
        samples=of.samples,
        temperature=judging.study.evaluation.temperature,
        learned=None,
        solved=None if candidate == base else read_json(known)["solved"],
    )


def _subject(judging: Judging, given: "PolicyLike", task: Task) -> "Subject":
    from shiftgym.evaluation.probes import Subject

    of = judging.study.evaluation
    if isinstance(given, tuple):
        return Subject.local(*given, task, seed=judging.seed, max_new_tokens=of.max_new_tokens)
    at = resolve_policy(given, task, max_new_tokens=of.max_new_tokens, seed=judging.seed, endpoint=judging.endpoint)
    return Subject(at)
