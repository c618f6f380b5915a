"""An evaluation that is written down while it goes on, and taken up again where it was interrupted."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Asked, Decoding, by_decoding, evaluate_batches
from shiftgym.files import append_lines, drop_half_line, make_folder, read_json, read_lines, write_lines, write_text
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings, is_endpoint
from shiftgym.tasks.base import Task

if TYPE_CHECKING:
    from shiftgym.models.resolve import PolicyLike

LONGEST = 120
"""Characters of a value that an error shows."""

FINGERPRINT = "fingerprint"
"""The key of `answering.json` that follows the files of a model."""


def check_claim(folder: BranchFolder, answering: Mapping[str, Any]) -> bool:
    """Whether `folder` holds answers that follow from `answering`.

    Raises:
        ConfigError: it holds others.
    """
    if not folder.answering.is_file():
        if folder.results.is_file() or RunFolder(folder.path).study.is_file():
            raise ConfigError(f"{folder.path}: holds results of something else; give another folder")
        return False
    before, wanted = read_json(folder.answering), json.loads(json.dumps(answering))
    for key in before | wanted:
        if before.get(key) != wanted.get(key):
            found = (
                "the files of the model have changed since it answered"
                if key == FINGERPRINT
                else f"its answers were given with {key} = {_told(before.get(key))}, not {_told(wanted.get(key))}"
            )
            raise ConfigError(f"{folder.path}: {found}; give another folder, or remove this one")
    return True


def _told(value: Any) -> str:
    """A value in an error, which stays one line even where it is a whole chat template."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def claim(folder: BranchFolder, answering: Mapping[str, Any]) -> None:
    """Make `folder` hold the answers that follow from `answering`, which says what answers and what is asked.

    Raises:
        ConfigError: it holds others already.
    """
    if not check_claim(folder, answering):
        make_folder(folder.path)
        write_text(folder.answering, json.dumps(answering, indent=1))


def evaluate_into(
    folder: BranchFolder,
    policy: "PolicyLike",
    task: Task,
    *,
    splits: Sequence[str],
    problems: int,
    samples: int,
    decodings: Sequence[Decoding],
    temperature: float,
    max_new_tokens: int,
    seed: int,
    origin: Mapping[str, Any],
    endpoint: EndpointSettings = DEFAULT_SETTINGS,
    batch: int | None = None,
    on_batch: Callable[[], None] = lambda: None,
) -> None:
    """Evaluate a policy and add its rows to `folder` batch by batch. What is there already is not asked again, so a
    kill costs one batch.

    Args:
        origin: the first columns of every row (see `evaluate`). Rows of another step are left alone.
        endpoint: how an endpoint is asked.
        on_batch: called whenever rows were written.
    """
    done = _whole_rows(folder, origin["step"])
    # A batch of an endpoint is soon over, since what was paid for is lost with it.
    paid = isinstance(policy, str) and is_endpoint(policy)
    for found in evaluate_batches(
        by_decoding(policy, task, temperature, max_new_tokens, seed, endpoint),
        task,
        splits=splits,
        problems=problems,
        samples=samples,
        decodings=decodings,
        origin=origin,
        batch=4 * endpoint.parallel if paid else batch,
        skip=done,
    ):
        # A problem counts as answered once it has a row, so rows are written last.
        append_lines(folder.evaluation_episodes, found.episodes)
        append_lines(folder.results, found.rows)
        on_batch()


def _whole_rows(folder: BranchFolder, step: int) -> set[Asked]:
    """What was answered at this step. What a kill left half-written is removed."""
    folder.path.mkdir(parents=True, exist_ok=True)
    for path in (folder.results, folder.evaluation_episodes):
        drop_half_line(path)
    done = {(row["step"], row["decoding"], row["split"], row["problem"]) for row in read_lines(folder.results)}
    kept = [
        record
        for record in read_lines(folder.evaluation_episodes)
        if (record["step"], record["decoding"], record["split"], record["problem"]["index"]) in done
    ]
    write_lines(folder.evaluation_episodes, kept)
    return {(decoding, split, problem) for at, decoding, split, problem in done if at == step}
