"""The measures of memorisation and forgetting, in one table. The columns of `probes.jsonl`, those of the report and
`docs/measures.md` follow from it.

A new measure is one row of `PROBES` and its function. `evaluation/probes.py` samples the answers that they need.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean
from typing import Any, NamedTuple

from shiftgym.evaluation.measures import Measure, Where, table


@dataclass(frozen=True, slots=True)
class Probed:
    """The answers of one policy to one problem, in numbers. Sequences have one element a decision."""

    kl_to_start: float | None
    """KL(policy || start) in nats an answer, on first answers that the policy sampled; None if it is not defined."""
    kl_from_start: float | None
    """KL(start || policy) in nats an answer, on first answers that the start sampled; None if it is not defined."""
    samples: int
    """First answers that were sampled for each decision."""
    right: Sequence[int]
    """How many of them were right."""
    before: Sequence[bool]
    """Whether the start's greedy first answer was right."""
    now: Sequence[bool]
    """Whether the policy's greedy first answer is right."""
    changed: Mapping[str, Sequence[bool]]
    """Kind of change -> whether the policy's greedy first answer to the problem changed in this way is right."""
    copied: Sequence[bool] | None
    """Whether the greedy first answer is one of those learned from; None if the branch learns from no fixed set."""


def pass_at(samples: int, right: int, k: int) -> float:
    """The chance that at least one of k answers is right, estimated from `samples` answers of which `right` were right:
    the unbiased estimate of pass@k (Chen et al. 2021, arXiv 2107.03374, equation 1)."""
    return 1 - comb(samples - right, k) / comb(samples, k)


def local_inconsistency(solved: Sequence[bool], perturbed: Sequence[bool]) -> float:
    """Share of problems that are solved as given but not when changed a little: accuracy times one minus the
    consistency ratio (LiMem; Xie et al. 2024, arXiv 2410.23123, section 2.1)."""
    return fmean(before and not after for before, after in zip(solved, perturbed, strict=True))


def retention(before: Sequence[bool], now: Sequence[bool]) -> float | None:
    """Share of the decisions solved before that are still solved; None if none was."""
    kept = [still for once, still in zip(before, now, strict=True) if once]
    return fmean(kept) if kept else None


def _kl_to_start(of: Probed) -> float | None:
    return of.kl_to_start


def _kl_from_start(of: Probed) -> float | None:
    return of.kl_from_start


def _pass_at(of: Probed) -> dict[str, float]:
    """k -> pass@k, for k = 1, 2, 4 ... up to the number of samples."""
    doubling = [1 << power for power in range(of.samples.bit_length())]
    return {str(k): fmean(pass_at(of.samples, right, k) for right in of.right) for k in doubling}


def _retained(of: Probed) -> float | None:
    return retention(of.before, of.now)


def _copied(of: Probed) -> float | None:
    return fmean(of.copied) if of.copied else None


def _memorised(of: Probed) -> dict[str, float]:
    return {kind: local_inconsistency(of.now, after) for kind, after in of.changed.items()}


PROBES = table(
    Measure(
        "kl_to_start",
        "KL(policy ‖ start), nats",
        "On first answers that the policy samples, in nats an answer: the sum over tokens of the divergence of the "
        "next-token distributions, each over the whole vocabulary",
        _kl_to_start,
        source="the chain rule; as an estimator it is the Rao-Blackwellised one of Amini et al. 2025 "
        "(arXiv 2504.10637)",
        better=0,
        where=Where.ONE_TOKENIZER,
        share=False,
    ),
    Measure(
        "kl_from_start",
        "KL(start ‖ policy), nats",
        "The same divergence with the two exchanged, on answers that the start samples: how unlikely the start's "
        "answers have become",
        _kl_from_start,
        source="Shenfeld et al. 2025 (arXiv 2509.04259) find that forgetting follows a divergence of this kind on the "
        "new task",
        better=0,
        where=Where.ONE_TOKENIZER,
        share=False,
    ),
    Measure(
        "pass_at",
        "pass@{}",
        "Chance that at least one of k sampled first answers is right, estimated from n ≥ k samples of which c were "
        "right as 1 - C(n-c, k) / C(n, k), as a mean over decisions",
        _pass_at,
        source="Chen et al. 2021 (arXiv 2107.03374), equation 1",
    ),
    Measure(
        "retained",
        "retained",
        "Share of the decisions that the start solved with its greedy first answer that the policy still solves so",
        _retained,
        source="the complement is what Toneva et al. 2019 (arXiv 1812.05159) call forgotten",
        where=Where.SOLVED,
    ),
    Measure(
        "copied",
        "copied",
        "Share of greedy first answers that are identical to one of the expert's answers that the branch learns from",
        _copied,
        better=-1,
        where=Where.LEARNS_EXPERT,
    ),
    Measure(
        "memorised",
        "memorised: {}",
        "Share of problems whose greedy first answer is right, but wrong once the problem is changed a little: "
        "accuracy times one minus the consistency ratio",
        _memorised,
        source="LiMem, Xie et al. 2024 (arXiv 2410.23123)",
        better=-1,
        where=Where.NEIGHBOURS,
    ),
)
"""The measures of `probes.jsonl`."""


def measure_probed(of: Probed) -> dict[str, Any]:
    """Name -> value, for every row of `PROBES`."""
    return {name: measure.of(of) for name, measure in PROBES.items()}


class Column(NamedTuple):
    """One number of a row of `probes.jsonl`."""

    measure: Measure[Probed]
    head: str
    """Its name in reports: that of the measure, or of one of its variants."""


def columns(row: Mapping[str, Any]) -> dict[Column, float | None]:
    """Every number of a row of `probes.jsonl`, in the order of `PROBES`."""
    found: dict[Column, float | None] = {}
    for name, measure in PROBES.items():
        if isinstance(row[name], Mapping):
            found |= {Column(measure, measure.called(variant)): value for variant, value in row[name].items()}
        else:
            found[Column(measure, measure.label)] = row[name]
    return found
