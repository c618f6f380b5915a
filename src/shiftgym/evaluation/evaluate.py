"""One policy on the problems of some splits: a row for every problem, and a few whole episodes to read.

Every checkpoint of every branch answers the same problems, so any two of them can be compared pair by pair.
Compute spent here is not part of any ledger.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from shiftgym.batching import BatchLimit
from shiftgym.episodes import play
from shiftgym.errors import ConfigError
from shiftgym.evaluation.measures import measure_episode
from shiftgym.models.at_once import decisions_at_once
from shiftgym.models.resolve import resolve_policy
from shiftgym.placement import DEFAULT_PLACEMENT, Placement
from shiftgym.policies.base import Policy
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings
from shiftgym.reading import nearest
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task, require_split
from shiftgym.tasks.walk import decisions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shiftgym.evaluation.statistics import Interval
    from shiftgym.models.resolve import PolicyLike

Decoding = Literal["sampled", "greedy"]

Row = dict[str, Any]
"""One line of `results.jsonl`: where it comes from (branch, seed, step, compute, split, decoding, problem) and
what happened (see `measures.measure_episode`)."""

BATCH = 128
"""Decisions answered at the same time, across all splits, where no GPU has room for more. On a CPU larger batches are
hardly faster, and the key-value cache of a policy that uses all its attempts on long answers then takes gigabytes."""

SAMPLE = 12
"""Problems of each split and decoding whose whole (first) episode is kept for the report's episode browser."""


@dataclass(slots=True, repr=False)
class Evaluation:
    """The results of one policy, in the order of decodings, splits and problems."""

    rows: list[Row] = field(default_factory=list)
    """One a problem: where it comes from and what happened (see `measure_episode`)."""
    episodes: list[dict[str, Any]] = field(default_factory=list)
    """Episode records of the first `SAMPLE` problems of each split and decoding."""

    def values(self, measure: str, *, split: str, decoding: str = "sampled") -> "NDArray[np.float64]":
        """One measure of every problem, (1, problems), NaN where it does not apply: one row of what `estimate` and
        `difference` take. Rows of several seeds are put together by `numpy.concatenate`.

        Raises:
            ConfigError: there is no such measure, or nothing was evaluated there.
        """
        import numpy as np

        kept = [row for row in self.rows if (row["split"], row["decoding"]) == (split, decoding)]
        if not kept:
            known = dict.fromkeys(f"{row['split']} {row['decoding']}" for row in self.rows)
            raise ConfigError(f"nothing was evaluated on {split} {decoding}{nearest(f'{split} {decoding}', known)}")
        if measure not in kept[0] or measure == "decisions":
            raise ConfigError(f"unknown measure {measure!r}{nearest(measure, [*kept[0]])}")
        return np.array([[np.nan if row[measure] is None else row[measure] for row in kept]], float)

    def estimate(self, measure: str, *, split: str, decoding: str = "sampled") -> "Interval":
        """The mean of one measure over the problems, with its 95 % interval.

        Raises:
            ConfigError: there is no such measure, it applies to no answer, or nothing was evaluated there.
        """
        import numpy as np

        from shiftgym.evaluation.statistics import estimate

        values = self.values(measure, split=split, decoding=decoding)
        if np.isnan(values).all():
            raise ConfigError(f"{measure} applies to no answer on {split} {decoding}")
        return estimate(values)

    def __repr__(self) -> str:
        """A table: success with one attempt and within the limit, in percent."""
        lines = [f"{'split':<16}{'decoding':<12}{'one attempt':<20}all attempts"]
        for split, decoding in dict.fromkeys((row["split"], row["decoding"]) for row in self.rows):
            found = [self.estimate(name, split=split, decoding=decoding) for name in ("success_1", "success")]
            cells = [f"{100 * of.value:.0f} [{100 * of.low:.0f}, {100 * of.high:.0f}]" for of in found]
            lines.append(f"{split:<16}{decoding:<12}{cells[0]:<20}{cells[1]}")
        return "\n".join(lines)


def evaluate(
    policy: "PolicyLike | Callable[[Decoding], Policy]",
    task: Task | str = "points",
    *,
    splits: Sequence[str] | None = None,
    problems: int = 128,
    samples: int = 1,
    decodings: Sequence[Decoding] = ("sampled", "greedy"),
    seed: int = 0,
    temperature: float = 1.0,
    max_new_tokens: int = 96,
    origin: Mapping[str, Any] | None = None,
    batch: int | None = None,
    placement: Placement = DEFAULT_PLACEMENT,
) -> Evaluation:
    """Play the problems 0 to `problems` - 1 of each split under each decoding, with the task's full limit.

        task = load_study("points-text").build_task()
        found = evaluate("points-0", task, splits=["id", "rule_ood"])
        found.estimate("success", split="rule_ood")

    Args:
        policy: the pair from `load_policy`, or a name: a shipped backbone, a model directory, a hub id, an
            endpoint as `URL#MODEL`, or `expert`; a function from the decoding to a policy; or a policy, which answers
            in its own way under every decoding.
        task: a task, or its name: `points`, `navigation`, or `package.module:Class`. A task given by name has one
            split, `train`; that of a study has the splits of the study.
        splits: names of splits; by default all of the task.
        samples: answers to each problem under the sampled decoding; a row holds their mean.
        seed: of the answers of a model.
        temperature: of a model under the sampled decoding.
        max_new_tokens: longest answer of a model, in tokens.
        origin: the first columns of every row and record: branch, seed, step, fraction, flops, flops_paper.
        batch: decisions that are answered at the same time; by default as many as a GPU has room for, or `BATCH`. A
            batch that runs out of memory is split. No outcome depends on it.
        placement: where a policy that is given by name runs, and in which form.

    Raises:
        ConfigError: there is no such policy, device, task or split.
    """
    if isinstance(task, str):
        task = build_task(task)
    chosen = list(task.splits) if splits is None else splits
    policy_for = (
        policy
        if callable(policy)
        else by_decoding(policy, task, temperature, max_new_tokens, seed, placement=placement)
    )
    found = Evaluation()
    for some in evaluate_batches(
        policy_for,
        task,
        splits=chosen,
        problems=problems,
        samples=samples,
        decodings=decodings,
        origin=origin,
        batch=batch,
    ):
        found.rows += some.rows
        found.episodes += some.episodes
    return found


Asked = tuple[Decoding, str, int]
"""Decoding, split and index of a problem."""


def evaluate_batches(
    policy_for: Callable[[Decoding], Policy],
    task: Task,
    *,
    splits: Sequence[str],
    problems: int,
    samples: int,
    decodings: Sequence[Decoding],
    origin: Mapping[str, Any] | None = None,
    batch: int | None = None,
    skip: Collection[Asked] = (),
) -> Iterator[Evaluation]:
    """The same as `evaluate`, batch by batch, so that nothing that was answered need be lost.

    Args:
        policy_for: what answers under a decoding. It is asked for only where something is left to answer.
        skip: what is not asked (again).

    Raises:
        ConfigError: there is no such split.
    """
    for split in splits:
        require_split(task, split)
    limit = BatchLimit()
    for decoding in decodings:
        left = [(decoding, split, index) for split in splits for index in range(problems)]
        deal = [task.problem(split, index) for _, split, index in left if (decoding, split, index) not in skip]
        if not deal:
            continue
        answering, times = policy_for(decoding), samples if decoding == "sampled" else 1
        size = batch or decisions_at_once(answering, task, deal[0]) or BATCH
        for several in batches(task, deal, times, size):
            found = Evaluation()
            answered = [(problem, sample) for problem in several for sample in range(times)]
            # The noise does not depend on the checkpoint: all share it, which lowers the variance of paired
            # differences.
            noise = [["evaluation", problem.split, problem.index, sample] for problem, sample in answered]
            asked = [problem for problem, _ in answered]
            played = play(answering, task, asked, noise=noise, ahead=True, batch=limit)
            for start in range(0, len(played), times):
                first, *_ = alike = played[start : start + times]
                labels = {**(origin or {}), "split": first.problem.split, "decoding": decoding}
                row = _mean([measure_episode(task, episode) for episode in alike])
                found.rows.append({**labels, "problem": first.problem.index, **row})
                if first.problem.index < SAMPLE:
                    found.episodes.append({**labels, **first.record()})
            yield found


def by_decoding(
    policy: "PolicyLike",
    task: Task,
    temperature: float,
    max_new_tokens: int,
    seed: int,
    endpoint: EndpointSettings = DEFAULT_SETTINGS,
    placement: Placement = DEFAULT_PLACEMENT,
) -> Callable[[Decoding], Policy]:
    """What answers `task` under each decoding; greedy answers have no temperature."""
    at = resolve_policy(policy, task, max_new_tokens=max_new_tokens, seed=seed, endpoint=endpoint, placement=placement)
    return lambda decoding: at(temperature if decoding == "sampled" else 0.0)


def batches(task: Task, problems: Sequence[Any], times: int = 1, size: int = BATCH) -> Iterator[list[Any]]:
    """The problems in batches of about `size` decisions, each of which is answered `times` times."""
    batch: list[Any] = []
    held = 0
    for problem in problems:
        count = times * sum(1 for _ in decisions(task, problem))
        if batch and held + count > size:
            yield batch
            batch, held = [], 0
        batch.append(problem)
        held += count
    yield batch


def _mean(rows: Sequence[Row]) -> Row:
    """The measures of several episodes on one problem: means over those that apply, and all their decisions."""
    whole: Row = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        if name == "decisions":
            whole[name] = [decision for value in values for decision in value]
        else:
            whole[name] = fmean(values) if values else None
    return whole
