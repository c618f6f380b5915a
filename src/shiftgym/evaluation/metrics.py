"""Rows of `results.jsonl` as columns, the measures of every checkpoint, and arrays for paired statistics.

rows = read_rows([path])              pyarrow table, one line a problem
measure(rows)                         one `Measures` for each (branch, seed, checkpoint, split, decoding)
Cube.of(rows)                         the same rows as a dense array, ready to be paired and resampled
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from numpy.typing import NDArray

from shiftgym.errors import DataError

MEASURES = ("success_1", "success", "whole", "per_step", "valid", "translated", "perseverated", "recognised", "tokens")
"""Columns that are averaged; `evaluate.measure_episode` says what they are."""

KEYS = ("branch", "seed", "step", "fraction", "split", "decoding")
"""What names one evaluation of one checkpoint."""

SCHEMA = pa.schema(
    [
        ("branch", pa.string()),
        ("seed", pa.int64()),
        ("step", pa.int64()),
        ("fraction", pa.float64()),
        ("flops", pa.float64()),
        ("flops_paper", pa.float64()),
        ("split", pa.string()),
        ("decoding", pa.string()),
        ("problem", pa.int64()),
        ("success_1", pa.float64()),
        ("success", pa.float64()),
        ("whole", pa.float64()),
        ("per_step", pa.float64()),
        ("attempts", pa.float64()),
        ("reward", pa.float64()),
        ("valid", pa.float64()),
        ("translated", pa.float64()),
        ("perseverated", pa.float64()),
        ("recognised", pa.float64()),
        ("tokens", pa.float64()),
        (
            "decisions",
            pa.list_(
                pa.struct(
                    [
                        ("outcomes", pa.list_(pa.string())),
                        ("right", pa.int64()),
                        ("style", pa.string()),
                        ("kinds", pa.list_(pa.string())),
                    ]
                )
            ),
        ),
    ]
)
NULLABLE = {"translated", "perseverated", "recognised"}
"""None where the measure does not apply to the answer; such rows count neither for nor against."""


def read_rows(paths: Sequence[Path]) -> pa.Table:
    """The rows of some results files as one table.

    Raises:
        DataError: a file cannot be read, a line is no row, or a field is missing.
    """
    options = pa.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    tables = []
    for path in paths:
        try:
            table = pa.json.read_json(path, parse_options=options)
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{path}: not a results file ({reason}); expected one JSON object a line") from error
        for name in SCHEMA.names:
            if name not in NULLABLE and table[name].null_count:
                raise DataError(f"{path}: {table[name].null_count} of {len(table)} rows have no {name!r}")
        tables.append(table)
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


@dataclass(slots=True)
class Measures:
    """What one checkpoint did on one split under one decoding: means over problems, shares over decisions."""

    branch: str
    seed: int
    step: int
    fraction: float
    split: str
    decoding: str
    problems: int
    flops: float
    flops_paper: float
    success_1: float
    """Success with one attempt."""
    success: float
    """Success within the limit."""
    whole: float
    """Problems of which every decision was right within the limit."""
    per_step: float
    """The paper's per-step accuracy."""
    valid: float
    translated: float | None
    """Share of the answers that follow the rule in force; None where it applies to no answer."""
    perseverated: float | None
    """Share of the answers that follow the trained rule under another; None where it applies to none."""
    recognised: float | None
    """Share of the answers that read the picture rightly (the paper's recognition accuracy); None in text."""
    tokens: float
    """Tokens of a first answer, mean."""
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


def measure(rows: pa.Table) -> list[Measures]:
    """The measures of every checkpoint, split and decoding, in the order in which they first occur."""
    if not len(rows):
        return []
    means = [(name, "mean") for name in ("flops", "flops_paper", *MEASURES)]
    found = {}
    for group in rows.group_by(KEYS, use_threads=False).aggregate([("problem", "count"), *means]).to_pylist():
        key = tuple(group[name] for name in KEYS)
        averages = {name: group[f"{name}_mean"] for name, _ in means}
        found[key] = Measures(**{name: group[name] for name in KEYS}, problems=group["problem_count"], **averages)

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


def pool(measures: Sequence[Measures], share: str) -> dict[str, float]:
    """A distribution (`first`, `final`, `styles`, `kinds`) averaged over evaluations, weighted by their decisions."""
    total: dict[str, float] = defaultdict(float)
    decisions = sum(of.decisions for of in measures)
    for of in measures:
        for name, value in getattr(of, share).items():
            total[name] += value * of.decisions / decisions
    return dict(total)


def pool_success(measures: Sequence[Measures], share: str, success: str, name: str) -> float:
    """One-attempt success within one style (`styles`, `style_success`) or kind, weighted by how many there were."""
    weights = [getattr(of, share).get(name, 0.0) * of.decisions for of in measures]
    successes = [getattr(of, success).get(name, 0.0) for of in measures]
    return float(np.average(successes, weights=weights))


Axis = dict[Any, int]
CUBE_AXES = {
    "branches": "branch",
    "fractions": "fraction",
    "splits": "split",
    "decodings": "decoding",
    "seeds": "seed",
    "problems": "problem",
}
"""Axis of a `Cube`, in order -> column of the rows."""


@dataclass(frozen=True, slots=True)
class Cube:
    """All rows as dense arrays. Whatever is compared lies along the same seeds and problems, so pairs are aligned.

    NaN stands for a row that does not exist (a branch without that checkpoint, work not done yet) and for a measure
    that does not apply to an answer.
    """

    branches: Axis
    fractions: Axis
    splits: Axis
    decodings: Axis
    seeds: Axis
    problems: Axis
    values: dict[str, NDArray[np.float32]]
    """Measure -> (branches, fractions, splits, decodings, seeds, problems)."""
    compute: dict[str, NDArray[np.float64]]
    """`flops` and `flops_paper` -> (branches, fractions, seeds)."""

    @classmethod
    def of(cls, rows: pa.Table) -> "Cube":
        """Where several steps stand for the same fraction (the shared start has no budget), the last step counts."""
        rows = rows.sort_by([("step", "ascending")])
        axes: dict[str, Any] = {}
        codes = []
        for axis, name in CUBE_AXES.items():
            labels, code = np.unique(_column(rows, name), return_inverse=True)
            axes[axis] = {label: index for index, label in enumerate(labels.tolist())}
            codes.append(code)
        shape = tuple(len(axis) for axis in axes.values())
        # On repeated positions the last assignment wins, which sorting by step made the latest step.
        position = np.ravel_multi_index(codes, shape) if len(rows) else np.zeros(0, int)
        values = {}
        for name in MEASURES:
            filled = np.full(shape, np.nan, np.float32)
            column = pc.cast(rows[name], pa.float32())
            filled.reshape(-1)[position] = np.asarray(pc.fill_null(column, float("nan")))
            values[name] = filled
        compute = {}
        for name in ("flops", "flops_paper"):
            spent = np.full((shape[0], shape[1], shape[4]), np.nan)
            spent[codes[0], codes[1], codes[4]] = _column(rows, name)
            compute[name] = spent
        return cls(**axes, values=values, compute=compute)

    def checkpoints(self, branch: str) -> list[float]:
        """The fractions at which a branch has any row, ascending."""
        if branch not in self.branches:
            return []
        present = ~np.isnan(self.compute["flops"][self.branches[branch]]).all(axis=-1)
        return [fraction for fraction, index in self.fractions.items() if present[index]]

    def answers(self, measure: str, branch: str, fraction: float, split: str, decoding: str) -> NDArray[np.float32]:
        """One measure of one checkpoint: (seeds, problems of that split); NaN for a seed that is not done."""
        at = (self.branches[branch], self.fractions[fraction], self.splits[split], self.decodings[decoding])
        found: NDArray[np.float32] = self.values[measure][at]
        dealt = ~np.isnan(self.values["success"][:, :, at[2], at[3]]).all(axis=(0, 1, 2))
        return found[:, dealt]


def _column(rows: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(rows[name].to_numpy())
