"""The results of one checkpoint on one split: means over its rows, and the shares of outcomes, styles and kinds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.rows import KEYS


@dataclass(slots=True)
class Summary:
    """The results of one checkpoint on one split under one decoding: means over problems, shares over decisions."""

    branch: str
    seed: int
    step: int
    fraction: float
    split: str
    decoding: str
    problems: int
    flops: float
    flops_paper: float
    means: dict[str, float | None]
    """Name of a measure -> its mean over the problems that it applies to; None where it applies to none."""
    decisions: int = 0
    first: dict[str, float] = field(default_factory=dict)
    """Outcome of the first attempt -> share."""
    final: dict[str, float] = field(default_factory=dict)
    """Outcome of the last attempt made -> share."""
    styles: dict[str, float] = field(default_factory=dict)
    """Style of the first answer -> share."""
    style_success: dict[str, float] = field(default_factory=dict)
    """Style of the first answer -> success with one attempt among the answers of that style."""
    kinds: dict[str, float] = field(default_factory=dict)
    """Kind of decision -> share. A decision may be of several kinds or of none."""
    kind_success: dict[str, float] = field(default_factory=dict)
    """Kind of decision -> success with one attempt among the decisions of that kind."""


def summarise(rows: pa.Table) -> list[Summary]:
    """One summary for each checkpoint, split and decoding, in the order in which they first occur."""
    if not len(rows):
        return []
    means = [(name, "mean") for name in ("flops", "flops_paper", *MEASURES)]
    found = {}
    for group in rows.group_by(KEYS, use_threads=False).aggregate([("problem", "count"), *means]).to_pylist():
        key = tuple(group[name] for name in KEYS)
        found[key] = Summary(
            **{name: group[name] for name in KEYS},
            problems=group["problem_count"],
            flops=group["flops_mean"],
            flops_paper=group["flops_paper_mean"],
            means={name: group[f"{name}_mean"] for name in MEASURES},
        )

    decisions = _decisions(rows)
    for group in decisions.group_by(KEYS, use_threads=False).aggregate([("right", "count")]).to_pylist():
        found[tuple(group[name] for name in KEYS)].decisions = group["right_count"]
    for table, column, share, success in (
        (decisions, "first", "first", None),
        (decisions, "final", "final", None),
        (decisions, "style", "styles", "style_success"),
        (_exploded(decisions, "kinds"), "kinds", "kinds", "kind_success"),
    ):
        grouped = table.group_by([*KEYS, column], use_threads=False).aggregate([("right", "count"), ("right", "mean")])
        for group in grouped.to_pylist():
            of = found[tuple(group[name] for name in KEYS)]
            getattr(of, share)[group[column]] = group["right_count"] / of.decisions
            if success is not None:
                getattr(of, success)[group[column]] = group["right_mean"]
    return list(found.values())


def _decisions(rows: pa.Table) -> pa.Table:
    """One line a decision: the keys, first and last outcome, style, kinds, and whether the first answer was right."""
    exploded = _exploded(rows, "decisions")
    outcomes, right, style, kinds = exploded["decisions"].combine_chunks().flatten()
    ends = np.asarray(pc.cumulative_sum(pc.list_value_length(outcomes)))
    return exploded.select(KEYS).append_column("first", pc.list_element(outcomes, 0)).append_column(
        "final", pc.list_flatten(outcomes).take(pa.array(ends - 1))
    ).append_column("style", style).append_column("kinds", kinds).append_column(
        "right", pc.cast(pc.equal(right, 1), pa.int8())
    )  # fmt: skip


def _exploded(rows: pa.Table, column: str) -> pa.Table:
    """One line for each element of a column of lists, with the keys (and `right`, where there is one) of its row."""
    lists = rows[column].combine_chunks()
    kept = rows.select([*KEYS, *({"right"} & set(rows.column_names))])
    return kept.take(pc.list_parent_indices(lists)).append_column(column, pc.list_flatten(lists))


def pool(summaries: Sequence[Summary], share: str) -> dict[str, float]:
    """A distribution (`first`, `final`, `styles`, `kinds`) averaged over evaluations, weighted by their decisions."""
    total: dict[str, float] = defaultdict(float)
    decisions = sum(of.decisions for of in summaries)
    for of in summaries:
        for name, value in getattr(of, share).items():
            total[name] += value * of.decisions / decisions
    return dict(total)


def pool_success(summaries: Sequence[Summary], share: str, success: str, name: str) -> float:
    """One-attempt success within one style (`styles`, `style_success`) or kind, weighted by how many there were."""
    weights = [getattr(of, share).get(name, 0.0) * of.decisions for of in summaries]
    successes = [getattr(of, success).get(name, 0.0) for of in summaries]
    return float(np.average(successes, weights=weights))
