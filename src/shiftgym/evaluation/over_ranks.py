"""Evaluation and probes of a branch over several ranks: each answers its share of the problems, and all get the rows
of all, in the order of one process. The model has whole weights here, so that no rank waits for another's step."""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

from shiftgym.evaluation.evaluate import SAMPLE, Asked, Decoding, Evaluation, Row, evaluate_batches
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shiftgym.evaluation.probes import Probe, Subject
    from shiftgym.models.parallel import Ranks


def evaluate_over(
    ranks: "Ranks",
    policy_for: Callable[[Decoding], Policy],
    task: Task,
    *,
    splits: "Sequence[str]",
    problems: int,
    samples: int,
    decodings: "Sequence[Decoding]",
    origin: "Mapping[str, Any]",
) -> Evaluation:
    """The same as `evaluate`, on every rank; the arguments are those of `evaluate_batches`.

    Raises:
        TrainingStopped: a rank met logits that are not finite.
    """
    asked: list[Asked] = [
        (decoding, split, index) for decoding in decodings for split in splits for index in range(problems)
    ]

    def answered(share: "Sequence[Asked]") -> list[tuple[Row, dict[str, Any] | None]]:
        """The row of each, and the record of its episode, if it is kept."""
        found = Evaluation()
        for some in evaluate_batches(
            policy_for,
            task,
            splits=splits,
            problems=problems,
            samples=samples,
            decodings=decodings,
            origin=origin,
            skip=set(asked) - set(share),
        ):
            found.rows += some.rows
            found.episodes += some.episodes
        kept = iter(found.episodes)
        return [(row, next(kept) if row["problem"] < SAMPLE else None) for row in found.rows]

    told = ranks.spread(asked, answered)
    return Evaluation([row for row, _ in told], [record for _, record in told if record is not None])


def probe_over(ranks: "Ranks", probe: "Probe", subject: "Subject") -> list[Row]:
    """What `probe` measures, where that of each rank has its share of the problems; on every rank.

    Raises:
        TrainingStopped: a rank met logits that are not finite.
    """
    from shiftgym.models.sharding import gathered

    with gathered(probe.start.player.model) if probe.start.player else nullcontext():
        told = ranks.spread(range(ranks.count), lambda _: [probe.measure(subject)])
    splits = list(dict.fromkeys(row["split"] for row in told[0]))
    return sorted(chain(*told), key=lambda row: (splits.index(row["split"]), row["index"]))
