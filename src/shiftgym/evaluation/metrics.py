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

MEASURES = ("success_1", "success", "valid", "translated", "perseverated", "tokens")
"""Columns that are averaged. All but `success` (within the limit) are those of the first attempt."""

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
        ("success_1", pa.bool_()),
        ("success", pa.bool_()),
        ("attempts", pa.int64()),
        ("outcomes", pa.list_(pa.string())),
        ("reward", pa.float64()),
        ("valid", pa.bool_()),
        ("style", pa.string()),
        ("translated", pa.bool_()),
        ("perseverated", pa.bool_()),
        ("tokens", pa.int64()),
    ]
)
NULLABLE = {"translated", "perseverated"}
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
    """What one checkpoint did on one split under one decoding. Shares are of `problems`."""

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
    valid: float
    translated: float | None
    """Share of the answers that read every symbol by the rule in force; None where it applies to no answer."""
    perseverated: float | None
    """Share of the answers that read a symbol by the trained rule under another; None where it applies to none."""
    tokens: float
    """Tokens of a first answer, mean."""
    first: dict[str, float] = field(default_factory=dict)
    """Outcome of the first attempt -> share."""
    final: dict[str, float] = field(default_factory=dict)
    """Outcome of the last attempt made -> share."""
    styles: dict[str, float] = field(default_factory=dict)
    """Style of the first answer -> share."""
    style_success: dict[str, float] = field(default_factory=dict)
    """Style of the first answer -> success with one attempt among the answers of that style."""


def measure(rows: pa.Table) -> list[Measures]:
    """The measures of every checkpoint, split and decoding, in the order in which they first occur."""
    if not len(rows):
        return []
    ends = np.asarray(pc.cumulative_sum(pc.list_value_length(rows["outcomes"])))
    outcomes = pc.list_flatten(rows["outcomes"]).combine_chunks()
    rows = rows.append_column("first", pc.list_element(rows["outcomes"], 0)).append_column(
        "final", outcomes.take(pa.array(ends - 1))
    )
    means = [(name, "mean") for name in ("flops", "flops_paper", *MEASURES)]
    found = {}
    for group in rows.group_by(KEYS, use_threads=False).aggregate([("problem", "count"), *means]).to_pylist():
        key = tuple(group[name] for name in KEYS)
        averages = {name: group[f"{name}_mean"] for name, _ in means}
        found[key] = Measures(**{name: group[name] for name in KEYS}, problems=group["problem_count"], **averages)
    for column, share in (("first", "first"), ("final", "final"), ("style", "styles")):
        for group in (
            rows.group_by([*KEYS, column], use_threads=False)
            .aggregate([("problem", "count"), ("success_1", "mean")])
            .to_pylist()
        ):
            of = found[tuple(group[name] for name in KEYS)]
            getattr(of, share)[group[column]] = group["problem_count"] / of.problems
            if column == "style":
                of.style_success[group[column]] = group["success_1_mean"]
    return list(found.values())


def pool(measures: Sequence[Measures], share: str) -> dict[str, float]:
    """A distribution (`first`, `final` or `styles`) averaged over evaluations, weighted by their problems."""
    total: dict[str, float] = defaultdict(float)
    problems = sum(of.problems for of in measures)
    for of in measures:
        for name, value in getattr(of, share).items():
            total[name] += value * of.problems / problems
    return dict(total)


def pool_style_success(measures: Sequence[Measures], style: str) -> float:
    """Success with one attempt among all answers of one style; the style must occur."""
    weights = [of.styles.get(style, 0.0) * of.problems for of in measures]
    successes = [of.style_success.get(style, 0.0) for of in measures]
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
    """Measure -> (branches, fractions, splits, decodings, seeds, problems); rates as 0 or 1."""
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
